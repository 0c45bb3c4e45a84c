//! `egress`: where HTTP targets may be.

use bus::delivery::{Egress, IpNet, egress_range};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::file::Checks;

/// Of each list.
const NETS_MAX: usize = 1000;
const NET_MEND: &str = "write a range such as 10.0.0.0/8 or fd12::/16, or one address";

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Section {
    private: Option<Private>,
    allow: Option<Spanned<Vec<Spanned<String>>>>,
    refuse: Option<Spanned<Vec<Spanned<String>>>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Private {
    Allowed,
    Refused,
}

impl Checks<'_> {
    pub(super) fn egress(&mut self, file: &Section, into: &mut Egress) {
        if let Some(private) = file.private {
            into.is_private_allowed = matches!(private, Private::Allowed);
        }
        into.allowed = self.nets(file.allow.as_ref());
        into.refused = self.nets(file.refuse.as_ref());
    }

    fn nets(&mut self, found: Option<&Spanned<Vec<Spanned<String>>>>) -> Vec<IpNet> {
        let Some(found) = found else { return Vec::new() };
        if NETS_MAX < found.value.len() {
            let reason = format!("{} ranges are too many", found.value.len());
            self.problem(found, reason, &format!("list {NETS_MAX} at most"));
        }
        let mut nets = Vec::new();
        for text in found.value.iter().take(NETS_MAX) {
            match egress_range(&text.value) {
                Some(net) => nets.push(net),
                None => {
                    let reason = format!("`{}` is no range of addresses", text.value);
                    self.problem(text, reason, NET_MEND);
                }
            }
        }
        nets
    }
}
