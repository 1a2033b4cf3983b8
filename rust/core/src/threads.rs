//! Whose threads work.

use rayon::ThreadPool;

/// Runs work in the pool that was asked for, or in the process-wide one.
pub fn within<T: Send>(pool: Option<&ThreadPool>, work: impl FnOnce() -> T + Send) -> T {
    match pool {
        Some(pool) => pool.install(work),
        None => work(),
    }
}
