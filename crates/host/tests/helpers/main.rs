//! What each helper does, seen from a script.

#![allow(clippy::unwrap_used)] // of what stands beside the tests

mod hostile;
mod plain;
mod request;
mod response;
mod rig;
mod values;

use std::collections::BTreeSet;

use zeroserve_host::HELPERS;

/// Tests that are also kept in a list, for `every_helper_is_tested`.
macro_rules! cases {
    ($($(#[doc = $doc:literal])* fn $name:ident() $body:block)+) => {
        $($(#[doc = $doc])* #[test] fn $name() $body)+

        pub(crate) const CASES: &[fn()] = &[$($name),+];
    };
}

pub(crate) use cases;

#[test]
fn every_helper_is_tested() {
    for case in [plain::CASES, values::CASES, request::CASES, response::CASES].concat() {
        case();
    }
    let exercised = rig::EXERCISED.take();
    let all: BTreeSet<_> = HELPERS.iter().map(|row| row.name).collect();
    let missing: Vec<_> = all.difference(&exercised).collect();
    assert!(missing.is_empty(), "no test has a result of {missing:?}");
}

/// Compiled objects know helpers by these numbers: lines may only be added.
#[test]
fn numbers_stay() {
    let table: Vec<_> = HELPERS.iter().map(|row| format!("{} {}", row.number, row.name)).collect();
    assert_eq!(table, include_str!("numbers.txt").lines().collect::<Vec<_>>());
    assert!(HELPERS.iter().zip(1..).all(|(row, number)| row.number == number));
}

#[test]
fn rows_are_complete() {
    let names: BTreeSet<_> = HELPERS.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), HELPERS.len());
    for row in HELPERS {
        let none = row.parameters == "void";
        let parameters = row.parameters.split(", ").filter(|_| !none);
        assert_eq!(parameters.clone().count(), usize::from(row.arity), "{}", row.name);
        assert!(row.arity <= 5 && row.fuel > 0, "{}", row.name);
        for parameter in parameters {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_ *".contains(&byte);
            assert!(parameter.bytes().all(letter) && parameter.contains(' '), "{}", row.name);
        }
        assert!(row.name.starts_with("zs_") && !row.group.is_empty());
        assert!(["zs_s64", "zs_u64", "int", "void *"].contains(&row.result), "{}", row.name);
        assert!(!row.doc.is_empty() && row.doc.lines().all(|line| line.len() <= 100));
        assert!(row.doc.lines().all(|line| line == line.trim()), "{}", row.name);
    }
}
