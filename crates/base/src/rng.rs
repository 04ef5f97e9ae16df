//! The one door to randomness, so that tests can seed it.

/// A source of random bytes.
pub trait Rng: Send + Sync {
    /// Fills the whole slice.
    fn fill(&self, out: &mut [u8]);
}

/// The operating system's random number generator. Fit for keys and secrets.
#[derive(Clone, Copy, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    #[allow(clippy::disallowed_methods, reason = "this is the door the lint points to")]
    fn fill(&self, out: &mut [u8]) {
        getrandom::fill(out)
            .expect("the kernel's random source answers once the system has booted");
    }
}

impl dyn Rng + '_ {
    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// `len` characters drawn evenly from `alphabet` (at most 256 ASCII characters).
    pub fn string(&self, alphabet: &[u8], len: usize) -> String {
        // Rejection keeps the draw even: a byte above the last whole multiple is thrown away.
        let usable = 256 - 256 % alphabet.len();
        let mut out = String::with_capacity(len);
        while out.len() < len {
            for byte in self.bytes::<32>() {
                let byte = usize::from(byte);
                if byte < usable && out.len() < len {
                    out.push(char::from(alphabet[byte % alphabet.len()]));
                }
            }
        }
        out
    }

    /// `len` characters of `0-9A-Za-z`.
    pub fn alphanumeric(&self, len: usize) -> String {
        self.string(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", len)
    }
}
