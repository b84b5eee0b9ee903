//! What the metrics of the host mean for this app.

use lanterne_host::Outcomes;

/// The method and the route of a login.
const LOGIN: (&str, &str) = ("POST", "/auth/login");

/// Returns the outcomes that are counted. They follow from the statuses of replies, which the host counts for every request.
pub(crate) fn outcomes() -> Vec<Outcomes> {
    let (method, route) = LOGIN;
    let help = "Logins by outcome, which is the status of POST /auth/login: success 200, wrong_password 401, refused 403, \
                throttled 429, invalid any other 4xx, failed 5xx, abandoned 499 (the client left before the reply).";
    vec![Outcomes { name: "lanterne_logins_total", help, method, route, all: &LOGIN_OUTCOMES, of: login_outcome }]
}

const LOGIN_OUTCOMES: [&str; 7] =
    ["success", "wrong_password", "refused", "throttled", "invalid", "failed", "abandoned"];

fn login_outcome(status: u16) -> &'static str {
    match status {
        200..300 => "success",
        401 => "wrong_password",
        403 => "refused",
        429 => "throttled",
        499 => "abandoned",
        300..500 => "invalid",
        _ => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_an_outcome_that_is_listed() {
        let expected = [
            (200, "success"),
            (401, "wrong_password"),
            (403, "refused"),
            (413, "invalid"),
            (422, "invalid"),
            (429, "throttled"),
            (499, "abandoned"),
            (500, "failed"),
            (503, "failed"),
        ];
        for (status, outcome) in expected {
            assert_eq!(login_outcome(status), outcome, "{status}");
        }
        assert!((0..1000).all(|status| LOGIN_OUTCOMES.contains(&login_outcome(status))));
    }
}
