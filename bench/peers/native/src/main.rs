//! A native server with the routes that the benchmark uses: axum, rusqlite and the crate `bcrypt`, without a component, a
//! log, a throttle or reuse detection. It shows how much of the API's time those cost.
//!
//! `SECRET_KEY=... lanterne-native-peer 127.0.0.1:8000 /path/to/file.db`

mod database;
mod token;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use crate::database::{Database, Event, User};
use crate::token::{Keys, REFRESH_TTL};

const BCRYPT_COST: u32 = 12;

struct App {
    db: Database,
    keys: Keys,
}

/// A reply other than success.
enum Failure {
    Refused(StatusCode, &'static str),
    Broken(anyhow::Error),
}

type Reply = std::result::Result<Json<Value>, Failure>;

#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
}

#[derive(Deserialize)]
struct RefreshRequest {
    refresh_token: String,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default = "default_limit")]
    limit: i64,
    #[serde(default)]
    offset: i64,
}

fn default_limit() -> i64 {
    50
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Broken(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, detail) = match self {
            Self::Refused(status, detail) => (status, detail),
            Self::Broken(error) => {
                eprintln!("{error:#}");
                (StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
            }
        };
        (status, Json(json!({ "detail": detail }))).into_response()
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let address = args.next().context("usage: lanterne-native-peer ADDRESS DATABASE")?;
    let path = args.next().context("usage: lanterne-native-peer ADDRESS DATABASE")?;
    let secret = std::env::var("SECRET_KEY").context("SECRET_KEY")?;
    let app = App { db: Database::open(Path::new(&path))?, keys: Keys::new(secret.as_bytes()) };
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/auth/register", post(register))
        .route("/auth/login", post(login))
        .route("/auth/refresh", post(refresh))
        .route("/users/me", get(me))
        .route("/admin/users", get(list))
        .with_state(Arc::new(app));
    let listener = TcpListener::bind(&address).await?;
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

async fn healthz() -> Json<Value> {
    Json(json!({ "status": "healthy", "timestamp": Timestamp::now().to_string(), "version": "1.0.0" }))
}

async fn register(
    State(app): State<Arc<App>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    Json(body): Json<Credentials>,
) -> std::result::Result<(StatusCode, Json<Value>), Failure> {
    let user = spawn_blocking(move || {
        let hash = bcrypt::hash(&body.password, BCRYPT_COST)?;
        app.db.write(|db| {
            let user = database::insert_user(db, &body.email, &hash)?;
            if let Some(user) = &user {
                let details = format!("User registered: {}", user.email);
                let event = Event { action: "register", resource: "user", details };
                database::audit(db, user.id, &event, &client.ip().to_string())?;
            }
            Ok(user)
        })
    })
    .await??;
    let user = user.ok_or(Failure::Refused(StatusCode::BAD_REQUEST, "Email already registered"))?;
    Ok((StatusCode::CREATED, Json(serde_json::to_value(user)?)))
}

async fn login(
    State(app): State<Arc<App>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    Json(body): Json<Credentials>,
) -> Reply {
    let refused = || Failure::Refused(StatusCode::UNAUTHORIZED, "Incorrect email or password");
    let user = app.db.read(|db| database::find_by_email(db, &body.email))?.ok_or_else(refused)?;
    spawn_blocking(move || {
        if !bcrypt::verify(&body.password, &user.hashed_password)? {
            return Err(refused());
        }
        if !user.is_active {
            return Err(Failure::Refused(StatusCode::FORBIDDEN, "Account is inactive"));
        }
        let details = format!("User logged in: {}", user.email);
        let tokens = app.keys.issue(user.id, &user.email)?;
        app.db.write(|db| {
            database::insert_session(db, user.id, tokens.jtis(), REFRESH_TTL)?;
            let event = Event { action: "login", resource: "session", details };
            database::audit(db, user.id, &event, &client.ip().to_string())
        })?;
        Ok(Json(tokens.reply()))
    })
    .await?
}

async fn refresh(
    State(app): State<Arc<App>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    Json(body): Json<RefreshRequest>,
) -> Reply {
    let refused = || Failure::Refused(StatusCode::UNAUTHORIZED, "Invalid or expired refresh token");
    let claims = app.keys.verify(&body.refresh_token, "refresh").ok_or_else(refused)?;
    // A commit waits for the disk.
    spawn_blocking(move || {
        let user = app.db.read(|db| database::find_by_id(db, claims.user_id))?;
        let user = user.filter(|user| user.is_active).ok_or_else(refused)?;
        let tokens = app.keys.issue(user.id, &user.email)?;
        let is_spent = app.db.write(|db| {
            let is_spent = database::spend(db, user.id, &claims.jti)?;
            if is_spent {
                database::insert_session(db, user.id, tokens.jtis(), REFRESH_TTL)?;
                let details = format!("Token refreshed for user: {}", user.email);
                let event = Event { action: "refresh", resource: "session", details };
                database::audit(db, user.id, &event, &client.ip().to_string())?;
            }
            Ok(is_spent)
        })?;
        if is_spent { Ok(Json(tokens.reply())) } else { Err(refused()) }
    })
    .await?
}

async fn me(State(app): State<Arc<App>>, headers: HeaderMap) -> Reply {
    Ok(Json(serde_json::to_value(caller(&app, &headers)?)?))
}

async fn list(State(app): State<Arc<App>>, headers: HeaderMap, Query(page): Query<Page>) -> Reply {
    if !caller(&app, &headers)?.is_admin {
        return Err(Failure::Refused(StatusCode::FORBIDDEN, "Admin privileges required"));
    }
    let (items, total) = app.db.read(|db| database::list(db, page.limit, page.offset))?;
    Ok(Json(json!({ "items": items, "total": total, "limit": page.limit, "offset": page.offset })))
}

/// Returns the account of the access token. Reads take microseconds, less than a change of threads.
fn caller(app: &App, headers: &HeaderMap) -> std::result::Result<User, Failure> {
    let refused = || Failure::Refused(StatusCode::UNAUTHORIZED, "Invalid or expired access token");
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = value.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(refused)?;
    let claims = app.keys.verify(token, "access").ok_or_else(refused)?;
    let user = app.db.read(|db| database::find_with_session(db, claims.user_id, &claims.jti))?;
    user.filter(|user| user.is_active).ok_or_else(refused)
}
