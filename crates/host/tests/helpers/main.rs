//! What each helper does, seen from a script.

#![allow(clippy::unwrap_used)] // of what stands beside the tests

mod fetch;
mod hostile;
mod oidc;
mod plain;
mod python;
mod request;
mod response;
mod rig;
mod values;

use std::collections::BTreeSet;

use zeroserve_host::{FETCH, HELPERS, MODULES, TEXT, row, rows};

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
    let cases = [
        [plain::CASES, values::CASES, request::CASES, response::CASES, fetch::CASES, oidc::CASES]
            .concat(),
        python::cases(),
    ];
    for case in cases.concat() {
        case();
    }
    let exercised = rig::EXERCISED.take();
    let all: BTreeSet<_> = rows().map(|row| row.name).collect();
    let missing: Vec<_> = all.difference(&exercised).collect();
    assert!(missing.is_empty(), "no test has a result of {missing:?}");
}

/// Compiled objects know helpers by these numbers: lines may only be added.
#[test]
fn numbers_stay() {
    for (table, first, numbers) in [
        (HELPERS, 1, include_str!("numbers.txt")),
        (TEXT, 1001, include_str!("python/text_numbers.txt")),
        (MODULES, 1201, include_str!("python/modules_numbers.txt")),
        (FETCH, 1340, include_str!("python/fetch_numbers.txt")),
    ] {
        let lines: Vec<_> =
            table.iter().map(|row| format!("{} {}", row.number, row.name)).collect();
        assert_eq!(lines, numbers.lines().collect::<Vec<_>>());
        assert!(table.iter().zip(first..).all(|(row, number)| row.number == number));
    }
    for each in rows() {
        assert_eq!(row(each.number).map(|row| row.name), Some(each.name));
    }
    for none in [0, HELPERS.len() as u32 + 1, 1000, 1200, u32::MAX] {
        assert!(row(none).is_none(), "{none}");
    }
}

#[test]
fn rows_are_complete() {
    let names: BTreeSet<_> = rows().map(|row| row.name).collect();
    assert_eq!(names.len(), rows().count());
    for row in rows() {
        let none = row.parameters == "void";
        let parameters = row.parameters.split(", ").filter(|_| !none);
        assert_eq!(parameters.clone().count(), usize::from(row.arity), "{}", row.name);
        assert!(row.arity <= 5 && row.fuel > 0, "{}", row.name);
        for parameter in parameters {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_ *".contains(&byte);
            assert!(parameter.bytes().all(letter), "{}", row.name);
            assert!(parameter.contains(' ') || row.group == "python", "{}", row.name);
        }
        assert_eq!(row.name.starts_with("zs_py_"), row.group == "python", "{}", row.name);
        assert!(row.name.starts_with("zs_") && !row.group.is_empty());
        assert!(["zs_s64", "zs_u64", "int", "void *"].contains(&row.result), "{}", row.name);
        assert!(!row.doc.is_empty() && row.doc.lines().all(|line| line.len() <= 100));
        assert!(row.doc.lines().all(|line| line == line.trim()), "{}", row.name);
    }
}
