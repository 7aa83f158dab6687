//! A path and its methods. What else belongs to a path follows from them: HEAD where there is GET, what browsers are told,
//! and 405 with `Allow`.

use actix_web::dev::{AppService, HttpServiceFactory};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, web};

use super::body::discard_body;
use super::cors;
use crate::metrics::Metrics;
use crate::status::{Kind, http_response};

/// `path`, a pattern of actix-web, without methods yet.
pub fn resource(path: &str) -> Methods {
    Methods {
        resource: web::resource(path),
        allowed: String::new(),
    }
}

/// A path and its methods.
pub struct Methods {
    resource: Resource,
    /// As in `Allow`.
    allowed: String,
}

impl Methods {
    /// GET, and HEAD: the server answers it as GET without a body.
    #[must_use]
    pub fn get<F, A>(self, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.with(Method::GET, "GET, HEAD", handler)
    }

    /// POST.
    #[must_use]
    pub fn post<F, A>(self, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.with(Method::POST, "POST", handler)
    }

    /// PUT.
    #[must_use]
    pub fn put<F, A>(self, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.with(Method::PUT, "PUT", handler)
    }

    /// DELETE.
    #[must_use]
    pub fn delete<F, A>(self, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.with(Method::DELETE, "DELETE", handler)
    }

    fn with<F, A>(mut self, method: Method, names: &str, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        if !self.allowed.is_empty() {
            self.allowed.push_str(", ");
        }
        self.allowed.push_str(names);
        self.resource = self.resource.route(web::method(method).to(handler));
        self
    }
}

impl HttpServiceFactory for Methods {
    fn register(self, config: &mut AppService) {
        let allowed = HeaderValue::from_str(&self.allowed)
            .unwrap_or_else(|_| HeaderValue::from_static("GET"));
        self.resource
            .default_service(web::to(
                move |request: HttpRequest, payload: web::Payload| {
                    other_method(request, payload, allowed.clone())
                },
            ))
            .register(config);
    }
}

/// A preflight, or 405 with `Allow`.
async fn other_method(
    request: HttpRequest,
    payload: web::Payload,
    allowed: HeaderValue,
) -> HttpResponse {
    if request.method() == Method::OPTIONS && cors::is_preflight(&request) {
        return cors::preflight(&allowed);
    }
    discard_body(&request, payload).await;
    let message = format!(
        "{} is not allowed here, only {}",
        request.method(),
        allowed.to_str().unwrap_or_default()
    );
    let mut response = http_response(Kind::MethodNotAllowed, &message);
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}

/// 404; 405 for CONNECT, which names no path.
pub(super) async fn not_found(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    if request.method() == Method::CONNECT {
        let message = "CONNECT is not allowed: this is no proxy";
        let mut response = http_response(Kind::MethodNotAllowed, message);
        let allowed = HeaderValue::from_static("");
        response.headers_mut().insert(header::ALLOW, allowed);
        return response;
    }
    discard_body(&request, payload).await;
    http_response(Kind::NotFound, &format!("no such path: {}", request.path()))
}

/// For `GET /metrics`.
pub async fn metrics_page(metrics: web::Data<Metrics>) -> HttpResponse {
    match metrics.render() {
        Ok(text) => HttpResponse::Ok()
            .content_type("text/plain; version=0.0.4; charset=utf-8")
            .body(text),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "metrics cannot be shown");
            http_response(Kind::Internal, "the metrics cannot be shown")
        }
    }
}
