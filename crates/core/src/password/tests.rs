use futures_lite::future::block_on;

use super::*;

const CHEAP: Cost = Cost::TEST;

fn check(password: &str, stored: &str) -> Verdict {
    block_on(verify(password, Some(stored), CHEAP))
}

#[test]
fn published_test_vectors_pass() {
    // From the test suite of OpenBSD-derived implementations (jBCrypt, crypt_blowfish).
    for (password, stored) in [
        ("", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."),
        ("a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
        ("abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
        ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
        ("U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
    ] {
        assert_eq!(check(password, stored), Verdict::RightButOutdated, "{password:?}");
        assert_eq!(check(&format!("{password}!"), stored), Verdict::Wrong, "{password:?}");
    }
}

#[test]
fn every_character_of_a_long_password_counts() {
    let long = "k".repeat(73);
    let stored = block_on(hash(&long, CHEAP)).expect("a hash");
    assert!(stored.starts_with("$bcrypt-sha384$2b$04$"), "{stored}");
    assert_eq!(check(&long, &stored), Verdict::Right);
    assert_eq!(check(&long[..72], &stored), Verdict::Wrong);
    assert_eq!(check(&format!("{long}k"), &stored), Verdict::Wrong);
}

#[test]
fn unmarked_hashes_of_long_passwords_compare_72_bytes() {
    let stored = bcrypt::hash_with_salt("k".repeat(80), 4, [7; 16]).expect("a hash").to_string();
    assert_eq!(check(&"k".repeat(72), &stored), Verdict::Right);
    assert_eq!(check(&"k".repeat(80), &stored), Verdict::Right);
    assert_eq!(check(&"k".repeat(71), &stored), Verdict::Wrong);
}

#[test]
fn another_cost_is_right_but_outdated() {
    let stored = bcrypt::hash_with_salt("secret", 5, [7; 16]).expect("a hash").to_string();
    assert_eq!(check("secret", &stored), Verdict::RightButOutdated);
}

#[test]
fn a_hash_of_a_truncated_password_is_not_renewed() {
    let stored = bcrypt::hash_with_salt("k".repeat(72), 5, [7; 16]).expect("a hash").to_string();
    assert_eq!(check(&format!("{}typo", "k".repeat(72)), &stored), Verdict::Right);
    assert_eq!(check(&"k".repeat(72), &stored), Verdict::RightButOutdated);
}

/// The number of yields of a comparison, each after eight rounds.
fn yields(password: &str, stored: Option<&str>, cost: Cost) -> usize {
    let mut comparison = std::pin::pin!(verify(password, stored, cost));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    std::iter::from_fn(|| comparison.as_mut().poll(&mut context).is_pending().then_some(())).count()
}

#[test]
fn unknown_wrong_and_right_cost_the_same_rounds() {
    let cost = Cost(6);
    for stored_cost in [4, 5, 6] {
        let stored = bcrypt::hash_with_salt("secret", stored_cost, [7; 16]).expect("a hash").to_string();
        for password in ["secret", "wrong", &"long".repeat(30)] {
            assert_eq!(yields(password, Some(&stored), cost), 8, "{password:?} at {stored_cost}");
        }
    }
    assert_eq!(yields("secret", None, cost), 8);
    assert_eq!(yields("secret", Some("no hash"), cost), 8);
}

#[test]
fn invalid_hashes_match_no_password() {
    let real = block_on(hash("secret", CHEAP)).expect("a hash");
    let costly = real.replace("$04$", "$31$");
    for stored in ["", "secret", "$2b$", "$bcrypt-sha384", &real[..59], &costly, "$2b$04$é"] {
        assert_eq!(check("secret", stored), Verdict::Wrong, "{stored:?}");
    }
    assert_eq!(block_on(verify("secret", None, CHEAP)), Verdict::Wrong);
}

#[test]
fn costs_out_of_range_are_refused() {
    assert_eq!([9, 10, 15, 16].map(|cost| Cost::new(cost).is_some()), [false, true, true, false]);
}
