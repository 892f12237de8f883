//! A minute of twice the load that the server can bear; how long its answers take is
//! the bench `overload`.

use std::time::Duration;

use crate::support::overload::overload;

#[test]
#[ignore = "takes a minute"]
fn a_minute_of_overload_is_refused_in_part_and_loses_nothing() {
    let span = Duration::from_secs(60);
    let seen = overload(span);
    let offered = &seen.offered;
    assert!(offered.lost.is_empty(), "{:?}", offered.lost);
    let answered = offered.answered.len();
    assert!(answered > 100 && offered.refused > 100, "{seen:?}");
    let all = (answered + offered.refused) as f64;
    assert!(all > 1.2 * seen.capacity * span.as_secs_f64(), "{seen:?}");
    let [first, second] = seen.halves();
    assert!(second < first + first / 10, "{first} and {second} bytes");
    assert_eq!(seen.status, Some(0));
}
