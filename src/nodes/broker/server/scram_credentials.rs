//! A user's SCRAM credential: what RFC 5802 keeps of a password, as a text in the user's settings
//! (`ScramCredentialUtils`, `ScramFormatter`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use kafka_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use sha2::{Digest, Sha256, Sha512};

const SHA_512: i8 = 2;
/// The mechanisms that there are, in the order in which they are told.
pub const MECHANISMS: [(i8, &str); 2] = [(1, "SCRAM-SHA-256"), (SHA_512, "SCRAM-SHA-512")];

/// The name of a mechanism, if there is one of this number.
pub fn mechanism(number: i8) -> Option<&'static str> {
    MECHANISMS.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

/// `StoredKey` and `ServerKey`.
fn keys<M: KeyInit + Mac, D: Digest>(salted_password: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let key = |label: &[u8]| {
        let mac = <M as KeyInit>::new_from_slice(salted_password).expect("a key of any length");
        mac.chain_update(label).finalize().into_bytes()
    };
    (D::digest(key(b"Client Key")).to_vec(), key(b"Server Key").to_vec())
}

/// The credential as it is kept; `None` when the password is empty, which Java takes for no key.
pub fn credential(upsertion: &ScramCredentialUpsertion) -> Option<String> {
    let password = &upsertion.salted_password;
    if password.is_empty() {
        return None;
    }
    let (stored, server) = match upsertion.mechanism {
        SHA_512 => keys::<Hmac<Sha512>, Sha512>(password),
        _ => keys::<Hmac<Sha256>, Sha256>(password),
    };
    Some(format!(
        "salt={},stored_key={},server_key={},iterations={}",
        STANDARD.encode(&upsertion.salt),
        STANDARD.encode(stored),
        STANDARD.encode(server),
        upsertion.iterations
    ))
}

/// How many iterations a credential says; `None` when it is damaged.
pub fn iterations(credential: &str) -> Option<i32> {
    let (mut keys, mut iterations) = (0, None);
    for part in credential.split(',') {
        let (name, value) = part.split_once('=')?;
        match name {
            "salt" | "stored_key" | "server_key" => {
                STANDARD.decode(value).ok()?;
                keys += 1;
            }
            "iterations" => iterations = value.parse().ok(),
            _ => return None,
        }
    }
    iterations.filter(|_| keys == 3)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn upsertion(mechanism: i8, salt: &str, salted_password: &str) -> ScramCredentialUpsertion {
        let bytes = |text| Bytes::from(STANDARD.decode(text).expect("base64"));
        ScramCredentialUpsertion::default()
            .with_mechanism(mechanism)
            .with_iterations(4_096)
            .with_salt(bytes(salt))
            .with_salted_password(bytes(salted_password))
    }

    #[test]
    fn a_credential_is_what_the_standard_keeps() {
        // RFC 7677, section 3: the user's password is "pencil"; its salted one and the keys were computed with Python's
        // hashlib and hmac.
        let salted = "xKSVEDI6tPlSysH6mUQZOeeOp01r6B3fcJbodRPcYV0=";
        let kept = credential(&upsertion(1, "W22ZaJ0SNY7soEsUEjb6gQ==", salted)).expect("one");
        assert_eq!(
            kept,
            "salt=W22ZaJ0SNY7soEsUEjb6gQ==,\
             stored_key=WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,\
             server_key=wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=,iterations=4096"
        );
        assert_eq!(iterations(&kept), Some(4_096));
    }

    #[test]
    fn damaged_credentials_say_nothing() {
        for text in ["", "x", "salt=AA==", "salt=AA==,stored_key=AA==,server_key=A,iterations=1"] {
            assert_eq!(iterations(text), None, "{text}");
        }
        let whole = "salt=AA==,stored_key=AA==,server_key=AA==,iterations=5";
        assert_eq!(iterations(whole), Some(5));
        assert_eq!(iterations(&format!("{whole},more=1")), None);
        assert_eq!(credential(&upsertion(1, "AA==", "")), None);
    }
}
