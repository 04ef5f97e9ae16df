//! Counters and timings, filled by the shared path only, written out as Prometheus text.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::time::Duration;

/// Upper bounds of the timing buckets, seconds.
const BOUNDS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// The program's metrics.
#[derive(Default)]
pub struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, &'static str), Requests>>,
    gauges: Mutex<BTreeMap<&'static str, Gauge>>,
}

#[derive(Default)]
struct Requests {
    by_code: BTreeMap<String, u64>,
    buckets: [u64; BOUNDS.len()],
    seconds: f64,
}

struct Gauge {
    help: &'static str,
    value: i64,
}

impl Metrics {
    /// Notes one answered request. Unknown actions come with empty names.
    pub fn observe(&self, product: &'static str, action: &'static str, code: &str, took: Duration) {
        let seconds = took.as_secs_f64();
        let mut requests = self.requests.lock().expect("nothing panics while it holds this lock");
        let entry = requests.entry((product, action)).or_default();
        match entry.by_code.get_mut(code) {
            Some(count) => *count += 1,
            None => {
                entry.by_code.insert(code.to_owned(), 1);
            }
        }
        entry.seconds += seconds;
        for (bucket, bound) in entry.buckets.iter_mut().zip(BOUNDS) {
            *bucket += u64::from(seconds <= bound);
        }
    }

    /// Sets a gauge. The name is the whole metric name, with its unit last.
    pub fn gauge(&self, name: &'static str, help: &'static str, value: i64) {
        let mut gauges = self.gauges.lock().expect("nothing panics while it holds this lock");
        gauges.insert(name, Gauge { help, value });
    }

    /// How many requests of an action were answered with a code.
    pub fn answered(&self, product: &'static str, action: &'static str, code: &str) -> u64 {
        let requests = self.requests.lock().expect("nothing panics while it holds this lock");
        requests
            .get(&(product, action))
            .and_then(|entry| entry.by_code.get(code))
            .copied()
            .unwrap_or(0)
    }

    /// All of it, in the Prometheus text format 0.0.4.
    pub fn render(&self) -> String {
        let mut out = String::from(
            "# HELP awan_requests_total Requests answered, by action and result code.\n# TYPE awan_requests_total counter\n",
        );
        let requests = self.requests.lock().expect("nothing panics while it holds this lock");
        for ((product, action), entry) in &*requests {
            for (code, count) in &entry.by_code {
                let labels =
                    format!("product=\"{product}\",action=\"{action}\",code=\"{}\"", escape(code));
                let _ = writeln!(out, "awan_requests_total{{{labels}}} {count}");
            }
        }
        out.push_str("# HELP awan_request_seconds Time from request to answer.\n# TYPE awan_request_seconds histogram\n");
        for ((product, action), entry) in &*requests {
            let labels = format!("product=\"{product}\",action=\"{action}\"");
            let total: u64 = entry.by_code.values().sum();
            for (bound, count) in BOUNDS.iter().zip(entry.buckets) {
                let _ =
                    writeln!(out, "awan_request_seconds_bucket{{{labels},le=\"{bound}\"}} {count}");
            }
            let _ = writeln!(out, "awan_request_seconds_bucket{{{labels},le=\"+Inf\"}} {total}");
            let _ = writeln!(out, "awan_request_seconds_sum{{{labels}}} {}", entry.seconds);
            let _ = writeln!(out, "awan_request_seconds_count{{{labels}}} {total}");
        }
        for (name, gauge) in &*self.gauges.lock().expect("nothing panics while it holds this lock")
        {
            let _ = writeln!(
                out,
                "# HELP {name} {}\n# TYPE {name} gauge\n{name} {}",
                gauge.help, gauge.value
            );
        }
        out
    }
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
