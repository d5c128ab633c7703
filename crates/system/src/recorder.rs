//! A double of the machine.
