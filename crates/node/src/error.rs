//! Makes the JavaScript error of a failed run: an `Error` named `PolarisError` with the fields of
//! the core's error. `npm/src/errors.ts` re-makes it as one of its classes, with a stack.
//!
//! A failure travels as a value to the JavaScript thread and becomes an error there.

use napi::bindgen_prelude::{JsObjectValue, JsValue, Object, ToNapiValue};
use napi::{Env, Error, Property, PropertyAttributes, Result, sys};
use polaris_core::error::{CoreError, ErrorCode};
use polaris_core::telemetry::Telemetry;

/// A failure on its way to the JavaScript thread.
pub(crate) struct Failure {
    error: CoreError,
    /// Breadcrumbs in Sentry's format, a JSON array.
    breadcrumbs: Option<String>,
}

impl Failure {
    /// A failure of a run, with the way to it.
    pub(crate) fn of_run(error: CoreError, telemetry: &Telemetry) -> Self {
        Self { error, breadcrumbs: serde_json::to_string(&telemetry.breadcrumbs()).ok() }
    }

    /// Something that cannot fail did.
    pub(crate) fn internal(what: &str, cause: &(dyn std::error::Error + 'static)) -> Self {
        CoreError::new(ErrorCode::Internal, what).with_cause(cause).into()
    }

    /// The error to return from a function on the JavaScript thread: napi throws the object that it holds.
    pub(crate) fn into_js(self, env: &Env) -> Error {
        match self.build(env) {
            Ok(object) => Error::from(object.to_unknown()),
            Err(error) => error,
        }
    }

    fn build<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let CoreError { code, message, status, retry_after_ms, cause } = &self.error;
        let mut object = env.create_error(Error::from_reason(message.clone()))?;
        object.set("code", code.name())?;
        object.set("retryable", self.error.retryable())?;
        object.set("status", status.map(u32::from))?;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a pause, far below 2^53")]
        object.set("retryAfterMs", retry_after_ms.map(|ms| ms as f64))?;
        object.set("hint", code.hint())?;
        // As `name`, `cause` and `stack` of every Error: there, but not listed.
        hide(env, &mut object, "name", "PolarisError")?;
        hide(env, &mut object, "cause", cause.as_deref())?;
        hide(env, &mut object, "breadcrumbs", self.breadcrumbs.as_deref()).map(|()| object)
    }
}

impl ToNapiValue for Failure {
    unsafe fn to_napi_value(env: sys::napi_env, failure: Self) -> Result<sys::napi_value> {
        let owner = Env::from_raw(env);
        let object = failure.build(&owner)?;
        // SAFETY: the object was made in this environment, on its thread.
        unsafe { Object::to_napi_value(env, object) }
    }
}

impl From<CoreError> for Failure {
    fn from(error: CoreError) -> Self {
        Self { error, breadcrumbs: None }
    }
}

fn hide<T: ToNapiValue>(env: &Env, object: &mut Object<'_>, name: &str, value: T) -> Result<()> {
    let property = Property::new()
        .with_utf8_name(name)?
        .with_napi_value(env, value)?
        .with_property_attributes(PropertyAttributes::Writable | PropertyAttributes::Configurable);
    object.define_properties(&[property])
}
