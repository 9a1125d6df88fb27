//! What the functions' policies allow is what the use cases need: the stores refuse the rest (see
//! `infra/local/policies.rs`), and what is allowed in vain is found here.

use crate::{bench::Bench, matrix};

#[tokio::test]
async fn a_policy_allows_what_some_use_case_needs_and_nothing_else() {
    let bench = Bench::new();
    matrix::run_every_case(&bench).await;
    let (idle, in_vain) = bench.cloud.wire.audit_policies();
    assert_eq!(
        idle,
        [] as [okd_local::policies::Allowed; 0],
        "allowed, and needed by no use case"
    );
    assert_eq!(
        in_vain,
        [] as [(String, okd_local::policies::Need); 0],
        "needed, and not allowed"
    );
}
