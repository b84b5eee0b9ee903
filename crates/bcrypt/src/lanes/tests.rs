use std::task::Waker;

use super::*;
use crate::tests::{Numbers, random};

/// A digest in progress, and the expected result.
fn start(numbers: &mut Numbers) -> (Pin<Box<Digest>>, [u8; 23]) {
    let (hash, expected) = random(numbers);
    (Box::pin(Digest::new(hash)), expected)
}

fn poll(digest: &mut Pin<Box<Digest>>) -> Poll<[u8; 23]> {
    digest.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn tasks_that_come_and_go_agree_with_the_crate() {
    let numbers = &mut Numbers(7);
    let (mut tasks, mut started, mut finished) = (Vec::new(), 0, 0);
    while started < 60 || !tasks.is_empty() {
        match numbers.next() % 64 {
            0 if started < 60 => {
                tasks.push(start(numbers));
                started += 1;
            }
            // Cancelled, in a lane or waiting for one.
            1 if tasks.len() > 3 => drop(tasks.swap_remove(numbers.next() as usize % tasks.len())),
            _ if tasks.is_empty() => {}
            _ => {
                let index = numbers.next() as usize % tasks.len();
                let (digest, expected) = &mut tasks[index];
                if let Poll::Ready(digest) = poll(digest) {
                    assert_eq!(digest, *expected);
                    tasks.swap_remove(index);
                    finished += 1;
                }
            }
        }
    }
    assert!(finished > 20, "{finished}");
    LANES.with_borrow(|lanes| assert_eq!((lanes.tasks(), lanes.finished.len()), (0, 0)));
}

/// Polls all digests in turn; returns the number of the turn in which each was ready.
fn turns(mut digests: Vec<Pin<Box<Digest>>>) -> Vec<usize> {
    let mut turns = vec![0; digests.len()];
    for turn in 0.. {
        for (digest, ready) in digests.iter_mut().zip(&mut turns) {
            if *ready == 0 && poll(digest).is_ready() {
                *ready = turn;
            }
        }
        if !turns.contains(&0) {
            break;
        }
    }
    turns
}

#[test]
fn hashes_share_the_rounds_in_the_order_in_which_they_came() {
    let digest = || Box::pin(Digest::new(Hash::new(b"password", &[7; 16], 6)));
    // 64 rounds, eight in each turn.
    assert_eq!(turns(vec![digest()]), [8]);
    // Of both hashes.
    assert_eq!(turns(vec![digest(), digest()]), [8, 8]);
    // The others follow when the first two are finished.
    assert_eq!(turns(vec![digest(), digest(), digest(), digest()]), [8, 8, 16, 16]);
}

#[test]
fn a_cancelled_hash_frees_its_lane() {
    let digest = || Box::pin(Digest::new(Hash::new(b"password", &[7; 16], 5)));
    let (mut first, second, mut third) = (digest(), digest(), digest());
    assert!(poll(&mut first).is_pending());
    drop(second);
    assert!(poll(&mut third).is_pending());
    LANES.with_borrow(|lanes| assert!(matches!(lanes.running, Running::Two([1, 3]))));
}
