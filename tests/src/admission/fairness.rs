//! O7: a tenant that asks for more than there is takes nothing from those that ask for little.

use super::*;
use crate::keys;
use crate::problem::assert_problem;

const OTHERS: usize = 49;

/// How many of the others are served, one request each, beside a flood.
async fn served_beside_a_flood(flags: &[&str]) -> (usize, Vec<Reply>) {
    let server = busy_server(flags).await;
    let flood = Flood::begin(&server, &[("x-tenant", "flood")]).await;
    let (target, body) = (format!("/predict/{DEAR}"), columns(3).to_string());
    let mut served = 0;
    for n in 0..OTHERS {
        let tenant = format!("small-{n}");
        let headers = [("x-tenant", tenant.as_str())];
        let reply = server.send("POST", &target, &headers, body.clone()).await;
        served += usize::from(reply.status == 200);
    }
    (served, flood.end().await)
}

#[tokio::test]
async fn a_flood_of_one_tenant_costs_no_other_a_request() {
    let (served, refused) = served_beside_a_flood(&["--tenant-header", "X-Tenant"]).await;
    assert_eq!(served, OTHERS);
    // While nobody else waits, the flood is too much for the server; otherwise, for its share.
    let over_share: Vec<_> = refused.iter().filter(|reply| reply.status == 429).collect();
    assert!(!over_share.is_empty());
    for reply in over_share {
        assert_problem(reply, 429, "tenant_over_share");
        assert!(reply.header("retry-after").is_some());
    }
}

/// The control: with one tenant for all, the flood takes the others' places.
#[tokio::test]
async fn without_tenants_the_flood_costs_the_others_requests() {
    let (served, refused) = served_beside_a_flood(&[]).await;
    assert!(served < OTHERS, "{served}");
    assert!(refused.iter().all(|reply| reply.status == 503));
}

/// How many requests of tenants that ask for little are served beside a flood, if the flood's key is of the tenant `flood`
/// and theirs are of `tenants`; and how many were sent.
async fn served_by_key(tenants: &[&str]) -> (usize, usize) {
    let (_folder, data_dir) = keys::folder();
    let flood = keys::create(&data_dir, "flood", "fit,predict");
    let others: Vec<String> = tenants
        .iter()
        .map(|tenant| keys::create(&data_dir, tenant, "fit,predict"))
        .collect();
    let flags = ["--workers", "2", "--compute-threads", "1"];
    let server = Arc::new(Server::at(&data_dir, &flags).await);
    let history = with(daily(250), &json!({"model": "nearest"})).to_string();
    let fit = format!("/fit/{DEAR}");
    for key in others.iter().chain([&flood]) {
        keys::send(&server, key, ("POST", &fit), &history)
            .await
            .ok();
    }
    let flood = Flood::begin(&server, &[("x-api-key", &flood)]).await;
    let (target, body) = (format!("/predict/{DEAR}"), columns(3).to_string());
    let mut served = 0;
    for key in others.iter().cycle().take(OTHERS) {
        let reply = keys::send(&server, key, ("POST", &target), &body).await;
        served += usize::from(reply.status == 200);
    }
    flood.end().await;
    (served, OTHERS)
}

/// With keys, the tenant that takes turns is the key's.
#[tokio::test]
async fn a_flood_with_a_key_costs_no_other_tenant_a_request() {
    let (served, sent) = served_by_key(&["a", "b", "c"]).await;
    assert_eq!(served, sent);
}

/// The control: another key of the same tenant is not another tenant.
#[tokio::test]
async fn a_flood_with_a_key_costs_its_own_tenant_requests() {
    let (served, sent) = served_by_key(&["flood"]).await;
    assert!(served < sent, "{served}");
}
