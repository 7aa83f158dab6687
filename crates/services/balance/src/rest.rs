//! The REST face. Decodes, calls [`Balances`], encodes.

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::{AccountId, AccountIds, Balance};
use runtime::http::{self, resource};
use runtime::protection::http_caller;
use runtime::status::Failure;
use serde::Serialize;

use crate::access;
use crate::handle::Balances;
use crate::uri;

/// The routes: one balance, several, health, metrics. The app's data must hold `Data` of [`Balances`].
pub fn routes(config: &mut ServiceConfig) {
    config
        // An empty id takes this way too, so that it is told what is wrong with it.
        .service(resource("/api/v1/accounts/{id:[^/]*}/balance").get(balance))
        .service(resource("/api/v1/accounts/balances").get(balances))
        .service(resource("/api/v1/balances").get(balances))
        .service(resource("/health").get(health))
        .service(resource("/metrics").get(http::metrics_page));
}

#[derive(Serialize)]
struct Account<'a> {
    account: &'a str,
    balance: i64,
    timestamp: String,
}

impl<'a> Account<'a> {
    fn new(id: &'a AccountId, balance: Balance) -> Self {
        Self {
            account: id.as_str(),
            balance: balance.tinybar(),
            timestamp: balance.timestamp(),
        }
    }
}

#[derive(Serialize)]
struct Accounts<'a> {
    balances: Vec<Account<'a>>,
    missing: Vec<&'a str>,
}

#[derive(Serialize)]
struct Healthy {
    status: &'static str,
}

async fn balance(request: HttpRequest, balances: Data<Balances>) -> Result<HttpResponse, Failure> {
    let caller = http_caller(&request);
    let work = async {
        uri::no_parameters(request.query_string())?;
        // Undecoded: actix-web would turn what is no UTF-8 into replacement characters.
        let id = uri::path_segment(request.uri().path(), 4)?;
        let id = AccountId::new(id)?;
        access::check(&caller, [&id])?;
        balances.balance(id).await
    };
    let (id, balance) = balances.answer(work).await?;
    Ok(HttpResponse::Ok().json(Account::new(&id, balance)))
}

async fn balances(request: HttpRequest, balances: Data<Balances>) -> Result<HttpResponse, Failure> {
    let caller = http_caller(&request);
    let work = async {
        let ids = AccountIds::new(uri::ids(request.query_string())?)?;
        access::check(&caller, ids.as_slice())?;
        balances.balances(ids).await
    };
    let found = balances.answer(work).await?;
    let mut answer = Accounts {
        balances: Vec::with_capacity(found.len()),
        missing: Vec::new(),
    };
    for (id, balance) in &found {
        match balance {
            Some(balance) => answer.balances.push(Account::new(id, *balance)),
            None => answer.missing.push(id.as_str()),
        }
    }
    Ok(HttpResponse::Ok().json(answer))
}

async fn health(balances: Data<Balances>) -> Result<HttpResponse, Failure> {
    balances.ping().await?;
    Ok(HttpResponse::Ok().json(Healthy { status: "healthy" }))
}
