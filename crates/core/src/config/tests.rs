use serde_json::json;

use super::*;

fn model(vars: &[(&str, &str)]) -> Result<ModelConfig> {
    ModelConfig::primary(&vars.iter().copied().collect(), &ModelOptions::default())
}

#[test]
fn openrouter_is_the_default_and_needs_its_key() {
    let error = model(&[("OPENROUTER_API_KEY", "  ")]).unwrap_err();
    assert_eq!(error.code, ErrorCode::ConfigMissing);
    assert!(error.message.starts_with("OPENROUTER_API_KEY is not set"), "{error}");
    let config = model(&[("OPENROUTER_API_KEY", "k")]).unwrap();
    assert_eq!(config.base_url.as_str(), OPENROUTER_BASE_URL);
    assert_eq!(config.model, PRIMARY_MODEL);
    assert_eq!(config.headers[0], ("HTTP-Referer".to_owned(), DEFAULT_APP_URL.to_owned()));
}

#[test]
fn a_loopback_server_needs_no_key_and_gets_no_openrouter_key() {
    for url in ["http://127.0.0.1:11434/v1/", "http://localhost:1234/v1", "http://[::1]:8000/v1"] {
        let vars =
            [("POLARIS_PRIMARY_BASE_URL", url), ("POLARIS_PRIMARY_MODEL", "m"), ("OPENROUTER_API_KEY", "k")];
        let config = model(&vars).unwrap();
        assert!(config.api_key.is_none(), "{url}");
        assert!(config.headers.is_empty());
    }
}

#[test]
fn another_host_never_gets_the_openrouter_key() {
    let error = model(&[
        ("POLARIS_PRIMARY_BASE_URL", "https://example.com/v1"),
        ("POLARIS_PRIMARY_MODEL", "m"),
        ("OPENROUTER_API_KEY", "k"),
    ])
    .unwrap_err();
    assert!(error.message.contains("POLARIS_PRIMARY_API_KEY"), "{error}");
}

#[test]
fn a_url_that_cannot_be_used_is_refused_by_the_variables_name() {
    for url in ["not a url", "ftp://h/v1", "https://user:pw@h/v1", "http://"] {
        let error = model(&[("POLARIS_PRIMARY_BASE_URL", url)]).unwrap_err();
        assert_eq!(error.code, ErrorCode::ConfigInvalid, "{url}");
        assert!(error.message.starts_with("POLARIS_PRIMARY_BASE_URL "), "{error}");
        assert!(!error.message.contains("pw"), "{error}");
    }
}

#[test]
fn the_store_takes_the_public_url_when_there_is_no_own_one() {
    let env = [
        ("NEXT_PUBLIC_CONVEX_URL", "http://127.0.0.1:1"),
        ("CONVEX_URL", ""),
        ("POLARIS_CONVEX_INTERNAL_KEY", "k"),
    ];
    let config = StoreConfig::from_env(&env.into_iter().collect()).unwrap();
    assert_eq!(config.url.as_str(), "http://127.0.0.1:1/");
    assert_eq!(config.path("system:beginMessage"), "system:beginMessage");
    let error = StoreConfig::from_env(&Env::default()).unwrap_err();
    assert!(error.message.contains("CONVEX_URL"), "{error}");
    let error =
        StoreConfig::from_env(&[("CONVEX_URL", "http://127.0.0.1:1")].into_iter().collect()).unwrap_err();
    assert!(error.message.starts_with("POLARIS_CONVEX_INTERNAL_KEY is not set"), "{error}");
}

#[test]
fn the_functions_may_stand_in_another_module() {
    let env = |module| {
        [
            ("CONVEX_URL", "http://127.0.0.1:1"),
            ("POLARIS_CONVEX_INTERNAL_KEY", "k"),
            ("POLARIS_CONVEX_MODULE", module),
        ]
        .into_iter()
        .collect::<Env>()
    };
    let config = StoreConfig::from_env(&env("polaris/system")).unwrap();
    assert_eq!(config.path("system:beginMessage"), "polaris/system:beginMessage");
    let error = StoreConfig::from_env(&env("a:b")).unwrap_err();
    assert!(error.message.starts_with("POLARIS_CONVEX_MODULE "), "{error}");
}

#[test]
fn a_provider_that_is_not_the_default_must_be_told_the_model() {
    for name in ["", "  "] {
        let vars = [("POLARIS_PRIMARY_BASE_URL", "http://127.0.0.1:1/v1"), ("POLARIS_PRIMARY_MODEL", name)];
        let error = model(&vars).unwrap_err();
        assert!(error.message.starts_with("POLARIS_PRIMARY_MODEL is not set"), "{error}");
    }
    let error = model(&[("POLARIS_PRIMARY_PROTOCOL", "gopher"), ("OPENROUTER_API_KEY", "k")]).unwrap_err();
    assert_eq!(error.message, "POLARIS_PRIMARY_PROTOCOL is \"gopher\": use openai-chat or anthropic");
}

#[test]
fn without_its_key_there_is_no_fallback() {
    let fallback = |vars: &[(&str, &str)]| {
        ModelConfig::fallback(&vars.iter().copied().collect(), &ModelOptions::default())
    };
    assert!(fallback(&[]).unwrap().is_none());
    assert!(fallback(&[("OPENROUTER_API_KEY", "k")]).unwrap().is_none(), "another provider's key is none");
    let config = fallback(&[("CEREBRAS_API_KEY", "k")]).unwrap().unwrap();
    assert_eq!((config.base_url.as_str(), config.model.as_str()), (CEREBRAS_BASE_URL, FALLBACK_MODEL));
    assert_eq!(config.body["reasoning_effort"], "none", "it reasons by default");
    let loopback = [("POLARIS_FALLBACK_BASE_URL", "http://127.0.0.1:1/v1"), ("POLARIS_FALLBACK_MODEL", "m")];
    assert!(fallback(&loopback).unwrap().is_some());
    assert!(fallback(&[("POLARIS_FALLBACK_BASE_URL", "nope")]).is_err());
}

#[test]
fn headers_and_fields_of_the_task_file_are_added_and_win() {
    let options: ModelOptions = serde_json::from_value(json!({
        "headers": { "X-Team": "a" }, "body": { "models": ["m2"], "reasoning": { "effort": "low" } },
    }))
    .unwrap();
    let config =
        ModelConfig::primary(&[("OPENROUTER_API_KEY", "k")].into_iter().collect(), &options).unwrap();
    assert!(config.headers.contains(&("X-Team".to_owned(), "a".to_owned())));
    assert_eq!(config.body["reasoning"], json!({ "effort": "low" }));
    for (name, value) in [("Authorization", "x"), ("a b", "x"), ("a", "x\ny")] {
        let models = Models {
            primary: ModelOptions {
                headers: [(name.to_owned(), value.to_owned())].into(),
                ..ModelOptions::default()
            },
            ..Models::default()
        };
        let error = RunOptions { models, ..RunOptions::default() }.check().unwrap_err();
        assert!(error.message.starts_with("options.models.primary.headers"), "{error}");
    }
}

#[test]
fn a_secret_is_never_printed() {
    let env = [("POLARIS_PRIMARY_API_KEY", "sk-canary")].into_iter().collect();
    assert!(!format!("{:?}", ModelConfig::primary(&env, &ModelOptions::default())).contains("sk-canary"));
}

#[test]
fn a_limit_of_zero_is_refused_by_name() {
    let options =
        RunOptions { limits: Limits { max_steps: 0, ..Limits::default() }, ..RunOptions::default() };
    assert_eq!(options.check().unwrap_err().message, "options.limits.maxSteps must be at least 1");
}

#[test]
fn other_peoples_variables_are_left_alone() {
    for name in [
        "POLARIS_PRIMARY_MODEL",
        "OPENROUTER_API_KEY",
        "CEREBRAS_API_KEY",
        "CONVEX_URL",
        "FIRECRAWL_API_KEY",
        "NEXT_PUBLIC_CONVEX_URL",
        "NODE_EXTRA_CA_CERTS",
        "PATH",
        "HTTPS_PROXY",
        "https_proxy",
        "No_Proxy",
    ] {
        assert!(is_variable(name), "{name}");
    }
    for name in [
        "AWS_SECRET_ACCESS_KEY",
        "TRIGGER_SECRET_KEY",
        "NODE_OPTIONS",
        "NODE_PATH",
        "MY_POLARIS_KEY",
        "PROXY",
        "é",
        "",
    ] {
        assert!(!is_variable(name), "{name}");
    }
}
