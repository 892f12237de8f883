//! Who talks to the master.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha512};

/// A user's password, or a token made before.
///
/// Neither appears in `Debug` output.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Credentials {
    /// A user name and password: the client logs in when it first needs to, and
    /// again when the token has expired (a login lives seven days).
    Password {
        /// The user, `determined` or `admin` for the built-in accounts.
        user: String,
        /// The password; empty unless the cluster has set one.
        password: SecretString,
    },
    /// A login token or an access token, sent as it is. Nothing renews it.
    Token(SecretString),
    /// The token of a task, which its training code reports with; see
    /// [`TaskEnvironment`](crate::TaskEnvironment). It opens the API only, and
    /// lives as long as the allocation.
    Allocation(SecretString),
}

/// The master's fixed salt (`harness/determined/common/api/authentication.py`).
const SALT: &str = "GubPEmmotfiK9TMD6Zdw";

/// What is sent in place of the password: hexadecimal SHA-512 of salt and
/// password. An empty password stays empty.
pub(crate) fn hashed(password: &SecretString) -> String {
    let password = password.expose_secret();
    if password.is_empty() {
        return String::new();
    }
    let digest = Sha512::new()
        .chain_update(SALT)
        .chain_update(password)
        .finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The body of `POST /api/v1/auth/login`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginRequest<'a> {
    pub(crate) username: &'a str,
    pub(crate) password: String,
    pub(crate) is_hashed: bool,
}

#[derive(Deserialize)]
pub(crate) struct LoginResponse {
    pub(crate) token: SecretString,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_hashed_as_the_sdk_does() {
        // Recorded from the Python SDK 0.38.1.
        let want = "68960d3e4ae22697d928d35d06b7d05bdbb7047e358db07d63384ebb24e763e2\
                    9a26277c0a650b8061893f84405050ef544a9ba15b3a9411c06bb1e61eb16b29";
        assert_eq!(hashed(&"Sup3rSecret".into()), want);
        assert_eq!(hashed(&"".into()), "");
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let credentials = Credentials::Password {
            user: "ann".to_owned(),
            password: "hunter2".into(),
        };
        let text = format!("{credentials:?} {:?}", Credentials::Token("hunter2".into()));
        assert!(text.contains("ann") && !text.contains("hunter2"), "{text}");
    }
}
