//! What waits to be sent, bounded by count and by bytes, and the ledger of it. It knows no time and no
//! runtime; every method is one step under one lock of its owner, so the ledger always balances.

use std::collections::VecDeque;

use crate::{Batch, CallEvent, Ledger};

#[derive(Debug)]
pub(crate) struct Queue {
    events: VecDeque<CallEvent>,
    /// Bytes of `events`.
    bytes: usize,
    /// A batch that was sent in vain; it goes first.
    unsent: Option<Batch>,
    /// The batch that is being sent: the number of its first event, and how many there are.
    on_its_way: Option<(u64, usize)>,
    max_events: usize,
    max_bytes: usize,
    /// Events that were taken: each has the number of those before it.
    taken: u64,
    exported: u64,
    /// Events that were taken, and dropped.
    dropped: u64,
    /// Events that came too late to be taken.
    late: u64,
    /// Whether more events are taken.
    is_open: bool,
    /// Those who wait for events to be sent.
    flushes: Vec<Flush>,
    /// The number of the next who waits.
    next_flush: u64,
}

/// Somebody who waits for the events before a number.
#[derive(Debug)]
struct Flush {
    id: u64,
    goal: u64,
    /// How many of them were dropped since.
    lost: u64,
}

impl Queue {
    pub(crate) fn new(max_events: usize, max_bytes: usize) -> Self {
        Self {
            events: VecDeque::new(),
            bytes: 0,
            unsent: None,
            on_its_way: None,
            max_events,
            max_bytes,
            taken: 0,
            exported: 0,
            dropped: 0,
            late: 0,
            flushes: Vec::new(),
            next_flush: 0,
            is_open: true,
        }
    }

    /// Adds an event; the oldest that wait make room for it. Gives how many wait now.
    #[inline]
    pub(crate) fn push(&mut self, event: CallEvent) -> usize {
        if !self.is_open {
            self.late += 1;
            return 0;
        }
        self.taken += 1;
        self.bytes += event.weight();
        self.events.push_back(event);
        self.bound();
        self.events.len()
    }

    /// Drops the oldest until what is pending fits.
    #[inline]
    fn bound(&mut self) {
        while self.pending() > self.max_events || self.bytes > self.max_bytes {
            let number = self.first_waiting();
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.weight();
            self.lose(number, 1);
        }
    }

    pub(crate) fn resize(&mut self, max_events: usize) {
        self.max_events = max_events;
        self.bound();
    }

    /// The next batch to send: it is on its way until one of the methods below is called.
    pub(crate) fn take(&mut self, size: usize) -> Option<Batch> {
        let batch = self.unsent.take().or_else(|| {
            let size = size.min(self.events.len());
            let first = self.first_waiting();
            let events: Vec<_> = self.events.drain(..size).collect();
            self.bytes -= events.iter().map(CallEvent::weight).sum::<usize>();
            (!events.is_empty()).then(|| Batch::new(first, events))
        })?;
        self.on_its_way = Some((batch.first, batch.events().len()));
        Some(batch)
    }

    /// The batch arrived, `accepted` events of it were counted.
    pub(crate) fn arrived(&mut self, batch: &Batch, accepted: usize) {
        let accepted = accepted.min(batch.events().len());
        self.exported += accepted as u64;
        if self.on_its_way.take().is_none() {
            // It was counted as dropped when the end overtook it.
            self.dropped -= accepted as u64;
            return;
        }
        self.lose(batch.first, batch.events().len() - accepted);
    }

    /// The batch is not sent again.
    pub(crate) fn give_up(&mut self, batch: &Batch) {
        self.arrived(batch, 0);
    }

    /// The batch is the next one again.
    pub(crate) fn put_back(&mut self, batch: Batch) {
        // Otherwise the end has overtaken it, and counted it as dropped.
        if self.on_its_way.take().is_some() {
            self.unsent = Some(batch);
            self.bound();
        }
    }

    /// Takes no more events; what waits is still to be sent. False if that was so before.
    pub(crate) fn drain(&mut self) -> bool {
        std::mem::replace(&mut self.is_open, false)
    }

    /// Drops what is pending, and whatever comes: what is on its way counts as dropped unless it arrives
    /// after all.
    pub(crate) fn close(&mut self) {
        self.is_open = false;
        self.lose(self.first_waiting(), self.events.len());
        self.events = VecDeque::new();
        self.bytes = 0;
        let unsent = self.unsent.take().map(|batch| (batch.first, batch.events().len()));
        for (first, events) in [unsent, self.on_its_way.take()].into_iter().flatten() {
            self.lose(first, events);
        }
    }

    /// Events that are not on their way.
    fn waiting(&self) -> usize {
        self.events.len() + self.unsent.as_ref().map_or(0, |batch| batch.events().len())
    }

    pub(crate) fn pending(&self) -> usize {
        self.waiting() + self.on_its_way.map_or(0, |(_, events)| events)
    }

    /// The number of the first event that is in no batch.
    fn first_waiting(&self) -> u64 {
        self.taken - self.events.len() as u64
    }

    /// Counts so many events from this number on as dropped.
    #[inline]
    fn lose(&mut self, first: u64, events: usize) {
        self.dropped += events as u64;
        for flush in &mut self.flushes {
            flush.lost += flush.goal.saturating_sub(first).min(events as u64);
        }
    }

    /// Somebody waits from now on for what was taken so far. Gives their number.
    pub(crate) fn begin_flush(&mut self) -> u64 {
        // Never one that was used before: whoever ended may say so twice.
        let id = self.next_flush;
        self.next_flush += 1;
        self.flushes.push(Flush { id, goal: self.taken, lost: 0 });
        id
    }

    /// How many events they wait for yet.
    pub(crate) fn left(&self, flush: u64) -> u64 {
        let flush = self.flushes.iter().find(|one| one.id == flush);
        flush.map_or(0, |flush| self.pending_before(flush.goal))
    }

    /// They wait no longer. Gives how many events were not sent, and are dropped or pending.
    pub(crate) fn end_flush(&mut self, flush: u64) -> u64 {
        let Some(at) = self.flushes.iter().position(|one| one.id == flush) else { return 0 };
        let flush = self.flushes.remove(at);
        flush.lost + self.pending_before(flush.goal)
    }

    /// How many events before this number are pending.
    fn pending_before(&self, number: u64) -> u64 {
        let unsent = self.unsent.as_ref().map(|batch| (batch.first, batch.events().len()));
        let waiting = Some((self.first_waiting(), self.events.len()));
        let groups = [self.on_its_way, unsent, waiting].into_iter().flatten();
        groups.map(|(first, events)| number.saturating_sub(first).min(events as u64)).sum()
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger {
            emitted: self.taken + self.late,
            exported: self.exported,
            dropped: self.dropped + self.late,
            pending: self.pending() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use promptops_types::Timestamp;

    use super::*;

    fn event(number: usize) -> CallEvent {
        CallEvent::new("get_prompt", Timestamp::default()).with_version(&number.to_string())
    }

    fn numbers(batch: &Batch) -> Vec<usize> {
        batch.events().iter().map(|event| event.version().unwrap().parse().unwrap()).collect()
    }

    fn filled(max_events: usize, events: usize) -> Queue {
        let mut queue = Queue::new(max_events, usize::MAX);
        for number in 0..events {
            queue.push(event(number));
        }
        queue
    }

    #[test]
    fn who_ends_twice_ends_nobody_else() {
        let mut queue = filled(10, 3);
        let first = queue.begin_flush();
        queue.end_flush(first);
        let second = queue.begin_flush();
        // As dropping does what ending has done.
        queue.end_flush(first);
        assert_eq!(queue.left(second), 3);
    }

    #[test]
    fn the_oldest_make_room_and_are_counted() {
        let mut queue = filled(3, 5);
        assert_eq!(queue.ledger().dropped, 2);
        assert_eq!(numbers(&queue.take(10).unwrap()), [2, 3, 4]);
        let mut queue = Queue::new(100, 5 * event(0).weight());
        for number in 0..7 {
            queue.push(event(number));
        }
        assert_eq!(queue.ledger().pending, 5, "bytes are bounded too");
    }

    #[test]
    fn a_batch_that_is_put_back_goes_first_with_its_id() {
        let mut queue = filled(10, 4);
        let batch = queue.take(2).unwrap();
        queue.push(event(4));
        assert_eq!(queue.ledger().pending, 5, "what is on its way is pending");
        let id = batch.id().to_owned();
        queue.put_back(batch);
        let again = queue.take(2).unwrap();
        assert_eq!((again.id(), numbers(&again)), (id.as_str(), vec![0, 1]));
        queue.arrived(&again, 1);
        assert_eq!(numbers(&queue.take(9).unwrap()), [2, 3, 4]);
        let ledger = queue.ledger();
        assert_eq!((ledger.exported, ledger.dropped, ledger.pending), (1, 1, 3));
        assert!(ledger.is_balanced());
    }

    #[test]
    fn what_was_there_before_is_told_from_what_came_since() {
        let mut queue = filled(6, 5);
        let flush = queue.begin_flush();
        let batch = queue.take(2).unwrap();
        for number in 5..12 {
            queue.push(event(number));
        }
        // Two on their way; the three that waited made room, and of those that came since three more.
        assert_eq!((queue.left(flush), queue.dropped), (2, 6));
        queue.put_back(batch);
        assert_eq!(queue.left(flush), 2);
        let batch = queue.take(2).unwrap();
        queue.arrived(&batch, 2);
        assert_eq!((queue.left(flush), queue.ledger().pending), (0, 4));
        assert_eq!(queue.end_flush(flush), 3);
    }

    #[test]
    fn a_batch_that_is_sent_meanwhile_counts_against_the_bound() {
        let mut queue = filled(4, 4);
        let batch = queue.take(2).unwrap();
        queue.push(event(4));
        queue.push(event(5));
        assert_eq!(queue.ledger().dropped, 2);
        queue.put_back(batch);
        assert_eq!(numbers(&queue.take(2).unwrap()), [0, 1]);
        assert_eq!(numbers(&queue.take(2).unwrap()), [4, 5]);
    }

    #[test]
    fn what_comes_after_the_end_is_counted_as_dropped() {
        let mut queue = filled(10, 3);
        assert!(queue.drain());
        assert!(!queue.drain());
        queue.push(event(3));
        assert_eq!((queue.taken, queue.pending_before(3)), (3, 3), "what is late is no matter");
        let batch = queue.take(1).unwrap();
        queue.put_back(batch);
        assert_eq!(queue.ledger().pending, 3, "what waited is still to be sent");
        let batch = queue.take(1).unwrap();
        queue.close();
        assert_eq!(queue.ledger().pending, 0, "nothing is pending after the end");
        queue.put_back(batch);
        queue.push(event(4));
        let ledger = queue.ledger();
        assert_eq!((ledger.emitted, ledger.dropped, ledger.pending), (5, 5, 0));
    }

    #[test]
    fn what_arrives_after_the_end_is_counted_as_it_went() {
        let mut queue = filled(10, 3);
        let batch = queue.take(2).unwrap();
        queue.close();
        assert_eq!(queue.ledger().dropped, 3);
        queue.arrived(&batch, 1);
        let ledger = queue.ledger();
        assert_eq!((ledger.exported, ledger.dropped, ledger.pending), (1, 2, 0));
        assert!(ledger.is_balanced());
    }
}
