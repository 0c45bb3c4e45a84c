//! Adds `country` and `network` to the detail of an event that holds an IP address; every other byte stays as it was.
//!
//! The table is part of the plugin. This one knows the networks for documentation and tests, with countries made up:
//! an example of shipping data, not of geography.

mod table;

use std::net::IpAddr;

use serde::Deserialize;
use slipswitch_sdk::{Error, Event, Output, Path, transformer};

#[slipswitch_sdk::config]
pub struct Config {
    /// Where the address is, such as `$.detail.ip`. An event without one goes on as it is.
    path: Path,
}

/// What a detail may have already.
#[derive(Deserialize)]
struct Known {
    country: Option<serde::de::IgnoredAny>,
    network: Option<serde::de::IgnoredAny>,
}

#[transformer]
pub fn geo_ip_lite(event: &Event, config: &Config) -> Result<Output, Error> {
    let Some(value) = event.at(&config.path)? else { return Ok(Output::raw(event.json())) };
    let address: IpAddr = value.get().trim_matches('"').parse().map_err(|_| {
        Error::invalid(format!("{} is no IP address: {}", config.path, value.get()))
    })?;
    let known: Known = event.detail()?;
    let place = table::find(address);
    let (None, None, Some(place)) = (known.country, known.network, place) else {
        return Ok(Output::raw(event.json()));
    };
    // The detail is a part of the event's own text; what is added goes before its last brace.
    let (json, detail) = (event.json(), event.detail_json()?);
    let end = detail.as_ptr().addr() - json.as_ptr().addr() + detail.len() - 1;
    let (before, after) = json.split_at(end);
    let comma = if before.trim_end().ends_with('{') { "" } else { "," };
    let added = format!(r#"{comma}"country":"{}","network":"{}""#, place.country, place.network());
    Ok(Output::raw([before, &added, after].concat()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        slipswitch_sdk::testing::cases(super::geo_ip_lite);
    }
}
