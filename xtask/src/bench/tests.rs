use super::*;

#[test]
fn cpu_time_is_read_behind_any_program_name() {
    let stat = "42 (a ) b) S 1 1 1 0 -1 4194560 100 0 0 0 250 50 7 8 20 0 5 0 100 1 1";
    assert_eq!(ticks(stat), Some(300.0));
    assert_eq!(ticks("nonsense"), None);
}
