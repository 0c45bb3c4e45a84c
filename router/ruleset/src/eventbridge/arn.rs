//! Names of things at Amazon: `arn:aws:events:REGION:ACCOUNT:event-bus/NAME`.

/// The bus that an ARN names, with the partner's slashes in it; none when it names something else.
pub(super) fn bus(arn: &str) -> Option<&str> {
    // Region and account may be `${AWS::Region}`, colons and all.
    let (partition, rest) = arn.strip_prefix("arn:")?.split_once(":events:")?;
    let (place, name) = rest.split_once(":event-bus/")?;
    (!partition.contains('/') && !place.contains('/')).then_some(name)
}

/// The bus that `EventBusName` means: a name, or an ARN.
pub(super) fn bus_of(text: &str) -> &str {
    bus(text).unwrap_or(text)
}

/// A bus as it can be called here: partners' buses have slashes in their names.
pub(super) fn bus_here(name: &str) -> String {
    name.replace('/', ".")
}

/// Whether `glob`, in which `*` stands for anything, is all of `text`.
pub(super) fn is_like(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bus_is_known_by_its_arn() {
        assert_eq!(bus("arn:aws:events:eu-west-1:111122223333:event-bus/shop"), Some("shop"));
        assert_eq!(bus("arn:aws-cn:events:::event-bus/aws.partner/x/y"), Some("aws.partner/x/y"));
        assert_eq!(bus("arn:aws:events:${AWS::Region}:${AWS::AccountId}:event-bus/a"), Some("a"));
        for other in ["arn:aws:sqs:eu-west-1:1:event-bus", "shop", "arn:aws:events:r:a:rule/x", ""]
        {
            assert_eq!(bus(other), None, "{other}");
        }
        assert_eq!(
            (bus_of("shop"), bus_here("aws.partner/x/y")),
            ("shop", "aws.partner.x.y".to_owned())
        );
    }

    #[test]
    fn a_star_stands_for_anything() {
        let arn = "arn:aws:lambda:eu-west-1:1:function:orders-dev";
        for glob in ["*", "arn:aws:lambda:*:function:orders-*", "*orders*", "arn:*:orders-dev", arn]
        {
            assert!(is_like(glob, arn), "{glob}");
        }
        for glob in ["", "arn:aws:lambda:*:function:orders", "*x", "lambda", "arn:aws:sqs:*"] {
            assert!(!is_like(glob, arn), "{glob}");
        }
        assert!(!is_like("ab*ab", "ab"));
    }
}
