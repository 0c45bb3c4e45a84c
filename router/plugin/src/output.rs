//! Whether what a plugin put out is taken.

use serde::de::IgnoredAny;

use crate::{CallError, Event, Limits, Output, json};

pub(crate) fn check(
    outputs: &[Output],
    event: &Event<'_>,
    limits: &Limits,
) -> Result<(), CallError> {
    let Limits { outputs_max, output_bytes_max, .. } = *limits;
    let refuse = |problem: String, limit| Err(CallError::Output { problem, limit });
    let count = outputs.len();
    if count > outputs_max {
        return refuse(
            format!(
                "{count} outputs for one event, and at most {outputs_max} are taken (`plugin.outputs`)"
            ),
            Some("outputs_max"),
        );
    }
    let size: usize = outputs.iter().map(size).sum();
    if size > output_bytes_max {
        return refuse(
            format!(
                "{size} bytes for one event, and at most {output_bytes_max} are taken (`plugin.output_bytes`)"
            ),
            Some("output_bytes_max"),
        );
    }
    for (index, output) in outputs.iter().enumerate() {
        // What came in as JSON needs no second look.
        if output.is_json()
            && output.body != event.json
            && !json::is_json(&output.body)
            // It has the words for what is wrong.
            && let Err(error) = serde_json::from_str::<IgnoredAny>(&output.body)
        {
            return refuse(
                format!(
                    "output {index} is not JSON ({error}); text needs the attribute `content-type`, such as text/plain"
                ),
                None,
            );
        }
    }
    Ok(())
}

fn size(output: &Output) -> usize {
    let attribute = |(name, value): &(String, String)| name.len() + value.len();
    output.body.len() + output.attributes.iter().map(attribute).sum::<usize>()
}
