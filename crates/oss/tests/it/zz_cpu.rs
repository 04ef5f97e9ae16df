use std::sync::Arc;
use oss::Limits;
use tokio::task::JoinSet;
use crate::harness::{check, noise};
fn cpu_us() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<u64>().unwrap() + f[12].parse::<u64>().unwrap()) * 10_000
}
#[test]
fn zz_cpu() {
    check(Limits::default(), |world| async move {
        let world = Arc::new(world);
        let body = noise(4096, 1);
        let n = 16_000usize;
        for round in 0..2 {
            let (c, t) = (cpu_us(), std::time::Instant::now());
            let mut set = JoinSet::new();
            for task in 0..16 {
                let (world, body) = (Arc::clone(&world), body.clone());
                set.spawn(async move { for at in 0..n / 16 { world.put(&format!("dir{}/{task}-{at}", at % 100), &body).await; } });
            }
            set.join_all().await;
            let c2 = world.cloud.db.counters();
            eprintln!("PUT round {round}: {} us cpu each, {} /s; counters {c2:?}", (cpu_us() - c) as usize / n, n as f64 / t.elapsed().as_secs_f64());
        }
        let (c, t) = (cpu_us(), std::time::Instant::now());
        let mut set = JoinSet::new();
        for task in 0..16 {
            let world = Arc::clone(&world);
            set.spawn(async move { for at in 0..n / 16 { assert_eq!(world.get(&format!("dir{}/{task}-{at}", at % 100)).await.unwrap().len(), 4096); } });
        }
        set.join_all().await;
        eprintln!("GET: {} us cpu each, {} /s", (cpu_us() - c) as usize / n, n as f64 / t.elapsed().as_secs_f64());
        let (c, t) = (cpu_us(), std::time::Instant::now());
        let mut seen = 0; let mut after = String::new();
        loop {
            let page = world.oss.list(&crate::harness::root(crate::harness::OWNER), "pemilu", oss::ListQuery { limit: 1000, after, ..Default::default() }).await.unwrap();
            seen += page.objects.len();
            match page.next { Some(n) => after = n, None => break }
        }
        eprintln!("LIST {seen} keys: {} us cpu, {:.0} keys/s", cpu_us() - c, seen as f64 / t.elapsed().as_secs_f64());
        let big = noise(64 << 20, 3);
        let (c, t) = (cpu_us(), std::time::Instant::now());
        for i in 0..4 { world.put(&format!("big{i}"), &big).await; }
        eprintln!("PUT 64MiB: {:.2} ms cpu/MiB, {:.0} MiB/s", (cpu_us() - c) as f64 / 256.0 / 1000.0, 256.0 / t.elapsed().as_secs_f64());
        let (c, t) = (cpu_us(), std::time::Instant::now());
        for i in 0..4 {
            let oss::Fetched::Found { mut body, .. } = world.oss.get(&crate::harness::root(crate::harness::OWNER), "pemilu", &format!("big{i}"), Default::default()).await.unwrap() else { panic!() };
            let mut n = 0; while let Some(b) = body.next().await { n += b.unwrap().len(); } assert_eq!(n, 64 << 20);
        }
        eprintln!("GET 64MiB: {:.2} ms cpu/MiB, {:.0} MiB/s", (cpu_us() - c) as f64 / 256.0 / 1000.0, 256.0 / t.elapsed().as_secs_f64());
        let t = std::time::Instant::now(); let c = cpu_us();
        for at in 0..n/16 { for task in 0..2 { world.oss.delete(&crate::harness::root(crate::harness::OWNER), "pemilu", oss::DeleteKey{ key: format!("dir{}/{task}-{at}", at % 100), if_match: None}).await.unwrap(); } }
        eprintln!("DELETE serial: {} us cpu each {:?}", (cpu_us()-c) as usize/(n/8), t.elapsed());
        let t = std::time::Instant::now(); let c = cpu_us();
        world.oss.reclaim().await.unwrap();
        eprintln!("RECLAIM {:?} {} us cpu; {}", t.elapsed(), cpu_us()-c, std::fs::read_to_string("/proc/self/status").unwrap().lines().filter(|l| l.starts_with("VmHWM")).collect::<String>());
    });
}

#[test]
fn zz_parts() {
    use std::os::unix::fs::FileExt;
    let body = noise(1 << 20, 1);
    let dir = tempfile::TempDir::new().unwrap();
    let file = std::fs::File::create(dir.path().join("x")).unwrap();
    let c = cpu_us(); for _ in 0..256 { let mut m = wire::object::checksum::Md5::default(); m.update(&body); std::hint::black_box(m.finish()); } eprintln!("us cpu md5 {} per MiB", (cpu_us() - c) / 256);
    let c = cpu_us(); for _ in 0..256 { std::hint::black_box(wire::object::checksum::crc64(&body)); } eprintln!("us cpu crc {} per MiB", (cpu_us() - c) / 256);
    let c = cpu_us(); for i in 0..256u64 { file.write_all_at(&body, i << 20).unwrap(); } eprintln!("us cpu pwrite {} per MiB", (cpu_us() - c) / 256);
    let c = cpu_us(); file.sync_data().unwrap(); eprintln!("us cpu fdatasync {} per MiB", (cpu_us() - c) / 256);
    let c = cpu_us(); for _ in 0..256u64 { std::hint::black_box(body.to_vec()); } eprintln!("us cpu copy {} per MiB", (cpu_us() - c) / 256);
}

#[test]
fn zz_big() {
    check(Limits::default(), |world| async move {
        let big = bytes::Bytes::from(noise(64 << 20, 3));
        for i in 0..4 {
            let c = cpu_us(); let t = std::time::Instant::now();
            world.oss.put(&crate::harness::root(crate::harness::OWNER), "pemilu", &format!("b{i}"), Default::default(), oss::Whole::new(big.clone())).await.unwrap();
            eprintln!("us cpu big put {} per MiB, {:?}", (cpu_us() - c) / 64, t.elapsed());
        }
        let mut pieces = Vec::new(); for p in big.chunks(65536) { pieces.push(bytes::Bytes::copy_from_slice(p)); }
        struct P(std::vec::IntoIter<bytes::Bytes>);
        impl oss::Source for P { async fn next(&mut self) -> Result<Option<bytes::Bytes>, base::ApiError> { Ok(self.0.next()) } }
        for i in 0..4 {
            let c = cpu_us(); let t = std::time::Instant::now();
            world.oss.put(&crate::harness::root(crate::harness::OWNER), "pemilu", &format!("c{i}"), Default::default(), P(pieces.clone().into_iter())).await.unwrap();
            eprintln!("us cpu big put 64k pieces {} per MiB, {:?}", (cpu_us() - c) / 64, t.elapsed());
        }
    });
}
