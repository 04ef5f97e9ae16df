//! MD5 (RFC 1321) of several large bodies at once, on one thread. Each step of MD5 waits for the one before it, so
//! that one body keeps a core busy that does little; four bodies side by side take half as long again as one.
//!
//! Whoever comes while somebody else is hashing lets him take the bytes along ([`Md5Pool::digest`]). Where many
//! large bodies are on their way, whoever begins waits a moment for others. For bodies of up to 64 KiB,
//! [`wire::object::checksum::Md5`] serves.

use std::array::from_fn;
use std::collections::VecDeque;
use std::mem;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bodies side by side: the 32-bit words of a 128-bit register.
const WIDTH: usize = 4;
const BLOCK: usize = 64;
/// So many blocks are digested before newcomers are looked for.
const STRETCH: usize = 512;

/// Where at least so many large bodies are on their way, others are waited for: some will have a piece soon.
const MANY: usize = 2 * WIDTH;
/// How long, at most: less than it takes to digest what a piece of a body is.
const GATHER_MAX: Duration = Duration::from_micros(1500);
/// After nobody came, so long nobody is waited for: they may all be slow.
const NO_GATHER: Duration = Duration::from_millis(50);

/// The MD5 of one body in the making.
#[derive(Clone, Debug)]
pub(crate) struct Md5 {
    words: [u32; 4],
    /// Bytes taken.
    len: u64,
    /// Those that do not fill a block yet.
    tail: Vec<u8>,
}

impl Default for Md5 {
    fn default() -> Self {
        let words = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
        Self { words, len: 0, tail: Vec::new() }
    }
}

impl Md5 {
    /// Takes the bytes before the first block and behind the last one. The blocks between are left to the caller,
    /// who adds them before anything else is added.
    fn take_ends(&mut self, bytes: &[u8]) -> Range<usize> {
        self.len += bytes.len() as u64;
        let missing = (BLOCK - self.tail.len()) % BLOCK;
        let Some((first, rest)) = bytes.split_at_checked(missing) else {
            self.tail.extend_from_slice(bytes);
            return 0..0;
        };
        self.tail.extend_from_slice(first);
        let first = mem::take(&mut self.tail);
        self.add(&first);
        let (_, last) = rest.as_chunks::<BLOCK>();
        self.tail.extend_from_slice(last);
        missing..bytes.len() - last.len()
    }

    /// Takes the next bytes, alone.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let blocks = self.take_ends(bytes);
        self.add(bytes.get(blocks).unwrap_or_default());
    }

    /// Adds whole blocks.
    fn add(&mut self, bytes: &[u8]) {
        let (blocks, _) = bytes.as_chunks();
        compress(&mut [&mut self.words], [blocks]);
    }

    /// The digest.
    pub(crate) fn finish(mut self) -> [u8; 16] {
        let mut last = mem::take(&mut self.tail);
        last.push(0x80);
        let zeros = (2 * BLOCK - 8 - last.len()) % BLOCK;
        last.resize(last.len() + zeros, 0);
        last.extend_from_slice(&self.len.wrapping_mul(8).to_le_bytes());
        self.add(&last);
        let mut digest = [0; 16];
        for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(self.words) {
            *bytes = word.to_le_bytes();
        }
        digest
    }
}

/// Blocks of a body that are to be digested.
struct Work {
    md5: Md5,
    buffer: Vec<u8>,
    /// The blocks in it that are left.
    left: Range<usize>,
}

impl Work {
    fn blocks(&self) -> &[[u8; BLOCK]] {
        self.buffer.get(self.left.clone()).unwrap_or_default().as_chunks().0
    }
}

/// Where somebody waits for his work.
struct Waiting {
    work: Work,
    back: SyncSender<Back>,
}

/// What comes back to him.
enum Back {
    Done(Work),
    /// Whoever did it is done with his own: go on yourself.
    GoOn(Work),
}

#[derive(Default)]
struct State {
    /// Threads that digest.
    busy: usize,
    waiting: VecDeque<Waiting>,
    /// Until when nobody is waited for.
    hasty: Option<Instant>,
}

/// Who digests, and who lets others do it.
#[derive(Default)]
pub(crate) struct Md5Pool {
    state: Mutex<State>,
    came: Condvar,
    /// Large bodies that are on their way.
    coming: Arc<AtomicUsize>,
}

/// A large body that is on its way.
pub(crate) struct Coming(Arc<AtomicUsize>);

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Md5Pool {
    /// Says that a large body is on its way, until that is dropped.
    pub(crate) fn expect(&self) -> Coming {
        self.coming.fetch_add(1, Ordering::Relaxed);
        Coming(Arc::clone(&self.coming))
    }

    /// Adds the bytes of `buffer` from `from` on to a body's digest. Blocks for as long as that takes.
    pub(crate) fn digest(&self, md5: &mut Md5, buffer: &mut Vec<u8>, from: usize) {
        let taken = md5.take_ends(buffer.get(from..).unwrap_or_default());
        let left = taken.start + from..taken.end + from;
        let work = Work { md5: mem::take(md5), buffer: mem::take(buffer), left };
        let done = self.run(work);
        (*md5, *buffer) = (done.md5, done.buffer);
    }

    fn run(&self, work: Work) -> Work {
        let mut state = self.lock();
        if state.waiting.len() >= state.busy * (WIDTH - 1) {
            state.busy += 1;
            drop(state);
            return self.lead(work);
        }
        let (back, answer) = sync_channel(1);
        state.waiting.push_back(Waiting { work, back });
        drop(state);
        self.came.notify_all();
        match answer.recv() {
            Ok(Back::Done(work)) => work,
            Ok(Back::GoOn(work)) => self.lead(work),
            // He panicked, and his panic is what is to be mended.
            Err(_) => panic!("the thread that digests is gone"),
        }
    }

    /// Digests one's own blocks, and those of others meanwhile.
    fn lead(&self, mut own: Work) -> Work {
        self.gather();
        let mut others: Vec<Waiting> = Vec::with_capacity(WIDTH - 1);
        while !own.left.is_empty() {
            let room = WIDTH - 1 - others.len();
            let mut state = self.lock();
            let newcomers = state.waiting.len().min(room);
            others.extend(state.waiting.drain(..newcomers));
            drop(state);
            advance(&mut own, &mut others);
            for one in others.extract_if(.., |one| one.work.left.is_empty()) {
                // Whoever does not wait any more does not need it.
                let _ = one.back.send(Back::Done(one.work));
            }
        }
        self.hand_over(others);
        own
    }

    /// Waits a moment for others, where there are many who may come.
    fn gather(&self) {
        let begun = Instant::now();
        let mut state = self.lock();
        if self.coming.load(Ordering::Relaxed) < MANY
            || state.hasty.is_some_and(|until| begun < until)
        {
            return;
        }
        while state.waiting.len() < WIDTH - 1 {
            let left = GATHER_MAX.saturating_sub(begun.elapsed());
            if left.is_zero() {
                break;
            }
            let woken = self.came.wait_timeout(state, left);
            (state, _) = woken.unwrap_or_else(PoisonError::into_inner);
        }
        if state.waiting.is_empty() {
            state.hasty = Some(Instant::now() + NO_GATHER);
        }
    }

    /// Lets one of those who wait go on.
    fn hand_over(&self, others: Vec<Waiting>) {
        let mut state = self.lock();
        others.into_iter().rev().for_each(|one| state.waiting.push_front(one));
        while let Some(next) = state.waiting.pop_front() {
            if next.back.send(Back::GoOn(next.work)).is_ok() {
                return;
            }
        }
        state.busy -= 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Digests as many blocks of each as all have, up to a stretch.
fn advance(own: &mut Work, others: &mut [Waiting]) {
    let works = std::iter::once(&mut *own).chain(others.iter_mut().map(|one| &mut one.work));
    let mut works: Vec<&mut Work> = works.collect();
    let all = works.iter().map(|work| work.blocks().len()).min().unwrap_or_default();
    let count = all.min(STRETCH);
    let mut words: [[u32; 4]; WIDTH] =
        from_fn(|lane| works.get(lane).map_or([0; 4], |work| work.md5.words));
    {
        // A lane that nobody uses digests what the first one has, for nothing.
        let of =
            |lane: usize| works.get(lane).or(works.first()).map_or(&[][..], |work| work.blocks());
        let blocks: [&[[u8; BLOCK]]; WIDTH] =
            from_fn(|lane| of(lane).get(..count).unwrap_or_default());
        if let [first, ..] = &mut words
            && works.len() == 1
        {
            compress(&mut [first], [blocks[0]]);
        } else {
            let [a, b, c, d] = &mut words;
            compress(&mut [a, b, c, d], blocks);
        }
    }
    for (work, words) in works.iter_mut().zip(words) {
        work.md5.words = words;
        work.left.start += count * BLOCK;
    }
}

/// One word of each of `N` bodies.
#[derive(Clone, Copy)]
struct Word<const N: usize>([u32; N]);

impl<const N: usize> Word<N> {
    #[inline(always)]
    fn with(self, other: Self, f: impl Fn(u32, u32) -> u32) -> Self {
        Self(from_fn(|lane| f(self.0[lane], other.0[lane])))
    }

    #[inline(always)]
    fn map(self, f: impl Fn(u32) -> u32) -> Self {
        Self(from_fn(|lane| f(self.0[lane])))
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.with(other, u32::wrapping_add)
    }
}

/// The additive constants: the integer part of 2³² · |sin(i + 1)|.
const SINES: [u32; 64] = [
    0xd76a_a478,
    0xe8c7_b756,
    0x2420_70db,
    0xc1bd_ceee,
    0xf57c_0faf,
    0x4787_c62a,
    0xa830_4613,
    0xfd46_9501,
    0x6980_98d8,
    0x8b44_f7af,
    0xffff_5bb1,
    0x895c_d7be,
    0x6b90_1122,
    0xfd98_7193,
    0xa679_438e,
    0x49b4_0821,
    0xf61e_2562,
    0xc040_b340,
    0x265e_5a51,
    0xe9b6_c7aa,
    0xd62f_105d,
    0x0244_1453,
    0xd8a1_e681,
    0xe7d3_fbc8,
    0x21e1_cde6,
    0xc337_07d6,
    0xf4d5_0d87,
    0x455a_14ed,
    0xa9e3_e905,
    0xfcef_a3f8,
    0x676f_02d9,
    0x8d2a_4c8a,
    0xfffa_3942,
    0x8771_f681,
    0x6d9d_6122,
    0xfde5_380c,
    0xa4be_ea44,
    0x4bde_cfa9,
    0xf6bb_4b60,
    0xbebf_bc70,
    0x289b_7ec6,
    0xeaa1_27fa,
    0xd4ef_3085,
    0x0488_1d05,
    0xd9d4_d039,
    0xe6db_99e5,
    0x1fa2_7cf8,
    0xc4ac_5665,
    0xf429_2244,
    0x432a_ff97,
    0xab94_23a7,
    0xfc93_a039,
    0x655b_59c3,
    0x8f0c_cc92,
    0xffef_f47d,
    0x8584_5dd1,
    0x6fa8_7e4f,
    0xfe2c_e6e0,
    0xa301_4314,
    0x4e08_11a1,
    0xf753_7e82,
    0xbd3a_f235,
    0x2ad7_d2bb,
    0xeb86_d391,
];

/// By how much each round rotates.
const TURNS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// Adds the blocks of each body to its words; all have as many.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "it indexes the blocks of several bodies")]
fn compress<const N: usize>(words: &mut [&mut [u32; 4]; N], blocks: [&[[u8; BLOCK]]; N]) {
    let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or_default();
    let mut state: [Word<N>; 4] = from_fn(|word| Word(from_fn(|lane| words[lane][word])));
    for at in 0..count {
        state = block(state, from_fn(|lane| &blocks[lane][at]));
    }
    for (lane, words) in words.iter_mut().enumerate() {
        **words = state.map(|word| word.0[lane]);
    }
}

#[inline(always)]
fn block<const N: usize>(state: [Word<N>; 4], blocks: [&[u8; BLOCK]; N]) -> [Word<N>; 4] {
    let parts: [&[[u8; 4]]; N] = blocks.map(|block| block.as_chunks().0);
    let message: [Word<N>; 16] =
        from_fn(|word| Word(from_fn(|lane| u32::from_le_bytes(parts[lane][word]))));
    let [mut a, mut b, mut c, mut d] = state;
    // Written out, since a loop would keep the compiler from using registers for four bodies.
    macro_rules! steps {
        ($round:literal: $($nth:literal)*) => {$(
            a = step::<$round, { $nth }, N>([a, b, c, d], &message);
            d = step::<$round, { $nth + 1 }, N>([d, a, b, c], &message);
            c = step::<$round, { $nth + 2 }, N>([c, d, a, b], &message);
            b = step::<$round, { $nth + 3 }, N>([b, c, d, a], &message);
        )*};
    }
    steps!(0: 0 4 8 12);
    steps!(1: 0 4 8 12);
    steps!(2: 0 4 8 12);
    steps!(3: 0 4 8 12);
    let [old_a, old_b, old_c, old_d] = state;
    [old_a.plus(a), old_b.plus(b), old_c.plus(c), old_d.plus(d)]
}

/// What takes the place of the first of the four.
#[inline(always)]
fn step<const ROUND: usize, const NTH: usize, const N: usize>(
    [a, b, c, d]: [Word<N>; 4],
    message: &[Word<N>; 16],
) -> Word<N> {
    let (mixed, word) = match ROUND {
        0 => (d.with(b.with(c.with(d, xor), and), xor), NTH),
        1 => (c.with(d.with(b.with(c, xor), and), xor), (5 * NTH + 1) % 16),
        2 => (b.with(c, xor).with(d, xor), (3 * NTH + 5) % 16),
        _ => (c.with(b.with(d, or_not), xor), 7 * NTH % 16),
    };
    let constant = message[word].map(|word| word.wrapping_add(SINES[16 * ROUND + NTH]));
    let sum = a.plus(mixed).plus(constant);
    b.plus(sum.map(|sum| sum.rotate_left(TURNS[ROUND][NTH % 4])))
}

fn xor(one: u32, other: u32) -> u32 {
    one ^ other
}

fn and(one: u32, other: u32) -> u32 {
    one & other
}

fn or_not(one: u32, other: u32) -> u32 {
    one | !other
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use proptest::prelude::*;
    use wire::object::checksum;

    use super::*;

    fn by_library(bytes: &[u8]) -> [u8; 16] {
        let mut md5 = checksum::Md5::default();
        md5.update(bytes);
        md5.finish()
    }

    fn body(len: usize, seed: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 31 + seed * 7 + at / 251).to_le_bytes()[0]).collect()
    }

    /// In pieces, each behind three bytes that are none of it.
    fn in_pieces(pool: &Md5Pool, body: &[u8], piece: usize) -> [u8; 16] {
        let mut md5 = Md5::default();
        for piece in body.chunks(piece.max(1)) {
            let mut buffer = [b"---", piece].concat();
            pool.digest(&mut md5, &mut buffer, 3);
            assert_eq!(&buffer[3..], piece, "the buffer comes back");
        }
        md5.finish()
    }

    #[test]
    fn every_length_around_a_block_is_digested_as_the_library_does() {
        let pool = Md5Pool::default();
        for len in 0..300 {
            let body = body(len, 1);
            for piece in [1, 7, 63, 64, 65, 300] {
                assert_eq!(in_pieces(&pool, &body, piece), by_library(&body), "{len} in {piece}");
            }
        }
    }

    #[test]
    fn bodies_that_are_digested_together_do_not_mix() {
        let pool = Arc::new(Md5Pool::default());
        let threads: Vec<_> = (0..16)
            .map(|seed: usize| {
                let pool = Arc::clone(&pool);
                thread::spawn(move || {
                    let body = body(300_000 + 1777 * seed, seed);
                    assert_eq!(in_pieces(&pool, &body, 1 << (13 + seed % 6)), by_library(&body));
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("its digest is right"));
        let state = pool.lock();
        assert_eq!((state.busy, state.waiting.len()), (0, 0), "nobody is left behind");
    }

    #[test]
    fn who_comes_while_another_digests_is_taken_along() {
        let pool = Md5Pool::default();
        let other = body(BLOCK * 3 * STRETCH, 5);
        let (back, answer) = sync_channel(1);
        let mut md5 = Md5::default();
        let left = md5.take_ends(&other);
        pool.lock()
            .waiting
            .push_back(Waiting { work: Work { md5, buffer: other.clone(), left }, back });
        pool.lock().busy = 1;
        let own = body(BLOCK * 5 * STRETCH, 6);
        let mut md5 = Md5::default();
        let left = md5.take_ends(&own);
        let done = pool.lead(Work { md5, buffer: own.clone(), left });
        assert_eq!(done.md5.finish(), by_library(&own));
        match answer.try_recv() {
            Ok(Back::Done(work)) => assert_eq!(work.md5.finish(), by_library(&other)),
            _ => panic!("it is done with the longer one"),
        }
    }

    #[test]
    fn who_begins_waits_for_others_where_many_are_on_their_way_and_not_for_long() {
        let pool = Arc::new(Md5Pool::default());
        let coming: Vec<Coming> = (0..MANY).map(|_| pool.expect()).collect();
        // Nobody comes, and the next are not kept waiting.
        pool.gather();
        assert!(pool.lock().hasty.is_some());
        pool.lock().hasty = Some(Instant::now() + Duration::from_secs(3600));
        let begun = Instant::now();
        (0..1000).for_each(|_| pool.gather());
        assert!(begun.elapsed() < Duration::from_secs(1), "a thousand waits would be longer");
        drop(coming);
        assert_eq!(pool.coming.load(Ordering::Relaxed), 0);
    }

    proptest! {
        #[test]
        fn any_body_in_any_pieces_is_digested_as_the_library_does(
            body in proptest::collection::vec(any::<u8>(), 0..5000),
            piece in 1usize..5000,
        ) {
            prop_assert_eq!(in_pieces(&Md5Pool::default(), &body, piece), by_library(&body));
        }
    }
}
