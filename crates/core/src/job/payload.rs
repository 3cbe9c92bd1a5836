//! Reads payloads: what does not fit is refused by the name of the field, before anything is asked or
//! stored.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{CoreError, ErrorCode, Result};

/// Reads a job's payload into its type.
///
/// # Errors
/// `PAYLOAD_INVALID` with the path of the field that does not fit.
pub(super) fn read<T: DeserializeOwned>(payload: Value) -> Result<T> {
    serde_path_to_error::deserialize(payload).map_err(|error| {
        let path = error.path().to_string();
        let at = if path == "." { "payload".to_owned() } else { format!("payload.{path}") };
        CoreError::new(ErrorCode::PayloadInvalid, format!("{at}: {}", error.inner()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    struct Payload {
        #[serde(rename = "messageId")]
        _message_id: String,
    }

    #[test]
    fn the_field_that_does_not_fit_is_named() {
        let said = |payload| read::<Payload>(payload).map_err(|error| error.message).unwrap_err();
        assert_eq!(said(json!({})), "payload: missing field `messageId`");
        assert_eq!(
            said(json!({ "messageId": 1 })),
            "payload.messageId: invalid type: integer `1`, expected a string"
        );
        assert_eq!(said(json!("m")), "payload: invalid type: string \"m\", expected struct Payload");
    }
}
