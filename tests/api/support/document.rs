//! The OpenAPI document of a server, and whether replies match it.
#![allow(dead_code, reason = "shared by the native tests and the fuzz targets, which use different parts")]

pub(crate) mod conforms;

use serde_json::Value;

use super::{Reply, TestApp};

/// The document.
pub(crate) struct Document(pub(crate) Value);

impl Document {
    /// Reads the document of a server.
    #[track_caller]
    pub(crate) fn of(app: &TestApp) -> Self {
        Self(app.get("/openapi.json").send().expect_status(200).json())
    }

    /// Returns method, path and description of every operation.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (String, &str, &Value)> {
        let paths = self.0["paths"].as_object().expect("paths");
        paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().expect("methods").iter();
            methods.map(move |(method, operation)| (method.to_uppercase(), path.as_str(), operation))
        })
    }

    /// Returns the path of an operation, with its parameters in braces, that a request is for.
    pub(crate) fn template(&self, method: &str, path: &str) -> Option<String> {
        let matches = |template: &str| {
            let (parts, template) = (path.split('/'), template.split('/'));
            parts.clone().count() == template.clone().count()
                && parts.zip(template).all(|(part, template)| template.starts_with('{') || part == template)
        };
        let found = self.operations().find(|(known, template, _)| known == method && matches(template));
        found.map(|(_, template, _)| template.to_owned())
    }

    /// Asserts that this reply to this request is documented.
    #[track_caller]
    pub(crate) fn expect(&self, method: &str, path: &str, reply: &Reply) {
        let status = reply.status().to_string();
        let response = &self.0["paths"][path][method.to_lowercase()]["responses"][&status];
        assert!(!response.is_null(), "{method} {path} {status} is not documented: {reply}");
        if reply.status() == 204 {
            assert!(response["content"].is_null() && reply.text().is_empty(), "{method} {path}: {reply}");
            return;
        }
        let content = &response["content"][reply.header("content-type").unwrap_or_default()];
        assert!(!content.is_null(), "{method} {path} {status}: not of the documented type: {reply}");
        let fault = conforms::fault(&self.0, &content["schema"], &reply.json());
        assert_eq!(fault, None, "{method} {path} {status}");
        // The `detail` of an error is documented literally.
        if let (Some(examples), true) = (content["examples"].as_object(), reply.json()["detail"].is_string()) {
            // Except for the number of seconds in that of a 429.
            let known = |example: &Value| example["value"] == reply.json() || reply.status() == 429;
            assert!(examples.values().any(known), "{method} {path}: {reply}");
        }
        if let Some(challenge) = reply.header("www-authenticate") {
            assert_eq!(response["headers"]["WWW-Authenticate"]["schema"]["examples"][0], challenge, "{method} {path}");
        }
    }
}
