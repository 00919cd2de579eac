//! The conformance suite: what every store promises, run on each of them, plain and behind one that loses answers.

use super::fixture::TestStore;
use super::redis_server::RedisServer;
use super::s3_server::S3Server;
use super::{blobs, documents, faults, leases, lifetimes, moving, reseal, versions};

/// Runs every check on a store of its own.
macro_rules! checks {
    ($make:ident: $($module:ident::{$($check:ident),* $(,)?}),* $(,)?) => {
        $($(
            // Shown when the check fails.
            println!("{}::{}", stringify!($module), stringify!($check));
            $module::$check($make().await).await;
        )*)*
    };
}

async fn suite(make: impl AsyncFn() -> TestStore) {
    checks!(make:
        leases::{
            a_first_acquire_is_granted_and_leaves_no_session,
            a_second_owner_is_told_who_holds,
            a_lease_that_ran_out_passes_on_under_a_higher_fence,
            a_dead_holder_is_replaced_at_once_and_only_it,
            a_repeated_acquire_is_granted_under_a_new_fence,
            renewing_makes_a_lease_last,
            a_lost_lease_cannot_be_renewed,
            releasing_lets_the_next_one_in_and_only_once,
            an_old_fence_writes_nothing,
            many_at_once_get_one_lease,
        },
        versions::{
            a_commit_is_what_is_read,
            versions_follow_each_other,
            a_conflicting_commit_writes_nothing,
            a_repeated_commit_is_done,
            a_part_that_is_not_there_is_refused_with_everything,
            old_versions_go_with_parts_that_only_they_had,
            pinned_versions_stay_and_do_not_count,
            versions_that_are_named_go_before_older_ones,
            blobs_are_orphaned_when_nobody_refers_to_them,
            what_refers_to_blobs_is_told_over_all_tenants,
            parts_are_sent_ahead_as_they_fit,
            a_checkpoint_survives_its_run_until_the_next_version,
            a_release_takes_its_own_checkpoint_only,
        },
        lifetimes::{
            what_has_run_out_is_gone_and_says_so,
            running_out_is_told_until_a_version_is_written,
            touching_prolongs_and_never_revives,
            a_holder_outlives_the_expiry,
            deleting_leaves_nothing,
            purging_takes_what_ran_out_and_nothing_else,
            what_was_purged_is_told_for_a_while,
            a_checkpoint_without_a_version_is_not_kept_for_ever,
            listing_pages_in_order_and_by_tenant,
        },
        documents::{
            a_document_is_written_on_its_condition,
            a_repeated_put_is_done,
            a_document_runs_out,
            documents_are_listed_in_pages_by_kind_and_tenant,
        },
        reseal::{
            a_record_is_replaced_only_where_it_is_as_expected,
            sealing_anew_and_commits_at_once_lose_neither,
            everything_is_listed_over_all_tenants,
            a_document_keeps_its_expiry_when_it_is_sealed_anew,
        },
        moving::{
            a_snapshot_is_all_of_a_session,
            what_is_not_there_has_no_snapshot,
            a_restored_session_is_as_it_was,
            nothing_is_restored_over_what_is_there,
            what_ran_out_and_what_was_asked_for_are_replaced,
            a_restored_session_runs_out_when_it_would_have,
            a_document_tells_when_it_runs_out,
        },
    );
    of_blobs(make).await;
}

/// What every store of blobs promises.
pub async fn of_blobs(make: impl AsyncFn() -> TestStore) {
    checks!(make:
        blobs::{
            a_blob_comes_back,
            a_blob_is_written_once,
            a_blob_whose_body_fails_is_not_there,
            blobs_are_deleted_and_listed,
            a_listing_says_how_large_and_how_old,
            blobs_are_claimed_once,
            of_many_claims_one_counts,
        },
    );
}

#[tokio::test]
async fn memory_keeps_the_promises() {
    suite(async || TestStore::memory()).await;
}

#[tokio::test]
async fn sqlite_and_files_keep_the_promises() {
    suite(async || TestStore::embedded()).await;
}

#[tokio::test]
async fn a_store_with_copies_beside_its_blobs_keeps_the_promises() {
    suite(async || TestStore::memory().mirrored()).await;
}

#[tokio::test]
async fn memory_keeps_them_when_answers_are_lost() {
    suite(async || faults::losing_answers(TestStore::memory())).await;
}

#[tokio::test]
async fn sqlite_and_files_keep_them_when_answers_are_lost() {
    suite(async || faults::losing_answers(TestStore::embedded())).await;
}

#[tokio::test]
async fn redis_keeps_the_promises() {
    let server = RedisServer::start();
    suite(async || TestStore::redis(&server).await).await;
}

#[tokio::test]
async fn redis_keeps_them_when_answers_are_lost() {
    let server = RedisServer::start();
    suite(async || faults::losing_answers(TestStore::redis(&server).await)).await;
}

#[tokio::test]
async fn s3_keeps_the_promises() {
    let server = S3Server::start();
    suite(async || TestStore::s3(&server)).await;
    assert_eq!(server.open_uploads(), 0);
}

#[tokio::test]
async fn s3_keeps_them_when_answers_are_lost() {
    let server = S3Server::start();
    suite(async || faults::losing_answers(TestStore::s3(&server))).await;
    assert_eq!(server.open_uploads(), 0);
}
