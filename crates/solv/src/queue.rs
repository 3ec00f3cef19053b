//! `Queue`: libsolv's growing array of ids.

use libsolv_sys::ffi as sys;

/// An owned queue.
pub(crate) struct Queue(sys::Queue);

impl Queue {
    pub(crate) fn new() -> Self {
        // SAFETY: `queue_init` only zeroes the four fields of the struct it is given, which lives here.
        unsafe {
            let mut raw = std::mem::zeroed();
            sys::queue_init(&mut raw);
            Self(raw)
        }
    }

    pub(crate) fn from_ids(ids: impl IntoIterator<Item = sys::Id>) -> Self {
        let mut queue = Self::new();
        for id in ids {
            queue.push(id);
        }
        queue
    }

    /// `queue_push`, which is a static inline in C.
    pub(crate) fn push(&mut self, id: sys::Id) {
        let count = self.0.count;
        // SAFETY: the queue was initialised in `new`; inserting at `count` appends and grows as needed.
        unsafe { sys::queue_insert(&mut self.0, count, id) }
    }

    pub(crate) fn as_slice(&self) -> &[sys::Id] {
        if self.0.elements.is_null() || self.0.count <= 0 {
            return &[];
        }
        // SAFETY: libsolv keeps `count` initialised ids at `elements`; the borrow of self keeps them there.
        unsafe { std::slice::from_raw_parts(self.0.elements, self.0.count.unsigned_abs() as usize) }
    }

    /// For calls that read or fill the queue.
    pub(crate) fn as_mut_ptr(&mut self) -> *mut sys::Queue {
        &mut self.0
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, freed once.
        unsafe { sys::queue_free(&mut self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_keeps_what_is_pushed_in_order() {
        let queue = Queue::from_ids(0..1000);
        assert_eq!(queue.as_slice(), (0..1000).collect::<Vec<_>>());
        assert!(Queue::new().as_slice().is_empty());
    }
}
