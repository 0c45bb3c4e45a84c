//! A user with a password (RFC 7617).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;

use crate::secret::Secret;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basic {
    /// Without a colon: what follows the first one is the password.
    pub user: String,
    pub password: Secret,
}

impl Basic {
    pub(crate) fn header(&self) -> HeaderValue {
        let text = Secret::new(format!("Basic {}", STANDARD.encode(self.pair().expose())));
        let mut value = HeaderValue::try_from(text.expose()).expect("base64 is a header value");
        value.set_sensitive(true);
        value
    }

    /// As it is encoded.
    pub(crate) fn pair(&self) -> Secret {
        Secret::new(format!("{}:{}", self.user, self.password.expose()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_the_standard() {
        let check = |user: &str, password: &str, expected| {
            let basic = Basic { user: user.to_owned(), password: Secret::new(password.to_owned()) };
            assert_eq!(basic.header().to_str().unwrap(), expected);
        };
        check("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        check("test", "123£", "Basic dGVzdDoxMjPCow==");
    }
}
