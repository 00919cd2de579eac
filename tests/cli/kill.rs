//! `kill -9` of a run at random moments: the next run finds no old browser alive and the session as it was last
//! acknowledged. `RHAVEN_SOAK_KILLS` says how often (5 unless set).

use std::time::Duration;

use crate::home::{Home, Running};
use crate::processes::{browsers_of, outlived};

/// Saves a counter and acknowledges each save, on and on.
const COUNTS: &str = "\
session(\"acme\");
goto(args.base + \"/form\");
loop {
    evaluate(\"localStorage.setItem('n', String(1 + Number(localStorage.getItem('n') ?? 0)))\");
    save();
    emit(evaluate(\"Number(localStorage.getItem('n'))\"));
}
";

const READS: &str = "\
session(\"acme\");
goto(args.base + \"/form\");
evaluate(\"Number(localStorage.getItem('n') ?? 0)\")
";

/// The longest that a run is left alive, and a bit more than a start takes.
const LONGEST_MILLIS: u64 = 2_500;

#[test]
fn a_killed_run_leaves_no_browser_and_the_last_acknowledged_version() {
    let kills = std::env::var("RHAVEN_SOAK_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let home = Home::new();
    let mut acknowledged = 0.0;
    for round in 0..kills {
        let run = Running::start(&mut home.run_command(COUNTS, &[]));
        let moment = Duration::from_millis(random() % LONGEST_MILLIS);
        let pid = run.pid();
        let mut browsers = Vec::new();
        let lines = run.kill_after(moment, || browsers = browsers_of(pid));
        acknowledged = lines.iter().filter_map(|line| line.parse::<f64>().ok()).fold(acknowledged, f64::max);
        let next = home.run(READS, &[]).ends(0);
        let found: f64 = next.out.trim().parse().expect("a number");
        let about = format!("round {round}, killed after {moment:?}, acknowledged {acknowledged}, found {found}");
        // The one in flight may have been saved without having been acknowledged.
        assert!(found >= acknowledged && found <= acknowledged + 1.0, "{about}\n{}", next.err);
        assert_eq!(outlived(&browsers, Duration::from_secs(5)), [], "{about}");
        acknowledged = found;
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("random bytes");
    u64::from_ne_bytes(bytes)
}
