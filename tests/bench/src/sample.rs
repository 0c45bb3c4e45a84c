//! What several rounds say together.

/// One figure, measured in several rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    values: Vec<f64>,
}

impl Sample {
    pub(crate) fn push(&mut self, value: f64) {
        self.values.push(value);
    }

    /// The value in the middle; 0 when there is none.
    pub(crate) fn median(&self) -> f64 {
        let mut values = self.values.clone();
        values.sort_by(f64::total_cmp);
        let upper = values.len() / 2;
        match (values.get(upper), values.len() % 2) {
            (Some(middle), 1) => *middle,
            (Some(middle), _) => f64::midpoint(values[upper - 1], *middle),
            (None, _) => 0.0,
        }
    }

    /// How far the best round is from the worst, as a part of the median: what the neighbours did.
    pub(crate) fn spread(&self) -> f64 {
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if self.values.is_empty() { 0.0 } else { (most - least) / self.median() }
    }
}

/// The value that `part` of the values do not exceed. Sorts them.
pub(crate) fn quantile(values: &mut [u32], part: f64) -> f64 {
    values.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index below a length that fits into memory"
    )]
    let index = ((values.len() as f64 * part) as usize).min(values.len().saturating_sub(1));
    values.get(index).copied().map_or(0.0, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_the_spread_is_a_part_of_it() {
        let mut sample = Sample::default();
        assert_eq!((sample.median(), sample.spread()), (0.0, 0.0));
        for value in [30.0, 10.0, 20.0] {
            sample.push(value);
        }
        assert_eq!((sample.median(), sample.spread()), (20.0, 1.0));
        sample.push(40.0);
        assert_eq!(sample.median(), 25.0);
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let mut values: Vec<u32> = (0..100).rev().collect();
        assert_eq!(quantile(&mut values, 0.5), 50.0);
        assert_eq!(quantile(&mut values, 0.99), 99.0);
        assert_eq!(quantile(&mut [7], 0.99), 7.0);
        assert_eq!(quantile(&mut [], 0.5), 0.0);
    }
}
