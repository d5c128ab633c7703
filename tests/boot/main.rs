//! Emulated boots: the shipped initramfs and guest image on an emulated s390x machine, one story a file.
//!
//! Run by `tests/run`, which builds what they boot and names it in the environment. Every story starts from a
//! contract that boots and changes the one thing that it is about.

// Helpers of tests may stop where a test may.
#![allow(clippy::unwrap_used)]

mod inside;
#[path = "../shapes/reader.rs"]
mod reader;
mod support;

mod a_look_from_inside;
mod altered_guest_os_ends_in_a_panic;
mod altered_signature_stops_at_verify;
mod attacks_from_inside_fail;
mod attest_refuses_a_useless_auditor;
mod boots_and_reopens_the_volume;
mod broken_entrypoint_stops_at_start;
mod deviation_powers_off;
mod failing_init_container_stops_at_start;
mod foreign_log_server_starts_nothing;
mod log_router_takes_the_log;
mod occupied_disk_stops_at_unlock;
mod overflow_is_counted;
mod pods_run;
mod published_workloads_run;
mod registry_that_is_away_is_waited_for;
mod schema_error_stops_at_validate;
mod signed_images_run;
mod small_scratch_disk_stops_at_root;
mod the_disk_boots_by_itself;
mod the_link_reaches_what_is_published;
mod the_sealed_image_boots;
mod unknown_name_stops_at_network;
mod unsigned_sealed_contract_stops_at_verify;
mod wrong_image_key_stops_at_unseal;
mod wrong_registry_password_reaches_the_log_server;
mod wrong_seed_leaves_the_disk_as_it_was;
