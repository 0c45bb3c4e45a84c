//! The rules and plugins, as `slipswitch check` sees them.

use super::Places;
use super::check::Check;
use crate::offline::check;

pub(super) struct Rules {
    files: usize,
    rules: usize,
    tests: usize,
    errors: usize,
    warnings: usize,
    /// The first problem, errors before warnings.
    first: String,
}

pub(super) fn look(places: &Places) -> Rules {
    let Places { rules, plugins, config, .. } = places;
    let report = check(rules.as_deref(), plugins.as_deref(), config.as_deref());
    let (errors, warnings) = report.counts();
    let worst = report.diagnostics.iter().find(|one| one.is_error());
    let first = worst.or(report.diagnostics.first()).map(|one| {
        if one.path.is_empty() {
            one.message.clone()
        } else {
            format!("{}: {}", one.path, one.message)
        }
    });
    Rules {
        files: report.files,
        rules: report.rules,
        tests: report.tests,
        errors,
        warnings,
        first: first.unwrap_or_default(),
    }
}

pub(super) fn judge(rules: &Rules) -> Check {
    let about = "rules";
    let Rules { files, rules, tests, errors, warnings, first } = rules;
    let mend = "`slipswitch check` shows each with its place and what to write instead";
    match (errors, warnings) {
        (0, 0) => Check::ok(
            about,
            format!(
                "{}, {}, {}: no problem",
                count(*files, "file"),
                count(*rules, "rule"),
                count(*tests, "test")
            ),
        ),
        (0, warnings) => {
            let found = format!("{}, no error: {first}", count(*warnings, "warning"));
            Check::warning(about, found, mend)
        }
        (errors, warnings) => {
            let found = format!(
                "{}, {}; the first: {first}",
                count(*errors, "error"),
                count(*warnings, "warning")
            );
            Check::problem(about, found, mend)
        }
    }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    #[test]
    fn errors_are_a_problem_and_warnings_are_one_warning() {
        for (errors, warnings, state, says) in [
            (0, 0, State::Ok, "2 files, 1 rule, 0 tests: no problem"),
            (0, 1, State::Warning, "1 warning, no error: x"),
            (3, 1, State::Problem, "3 errors, 1 warning; the first: x"),
        ] {
            let rules =
                Rules { files: 2, rules: 1, tests: 0, errors, warnings, first: "x".to_owned() };
            let check = judge(&rules);
            assert_eq!((check.state, check.found.as_str()), (state, says));
        }
    }
}
