"""A FastAPI server with the routes that the benchmark uses, written as FastAPI's documentation writes them.

Its replies and audit rows are those of the API, its tables those of the Python server that the API replaces. It has no
throttle, no chains of sessions and no reuse detection. Run it with
`DATABASE_URL=sqlite:////absolute/path SECRET_KEY=... uvicorn app:app`.
"""

import os
import uuid
from datetime import datetime, timedelta, timezone

import bcrypt
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from jose import JWTError, jwt
from pydantic import BaseModel, ConfigDict, EmailStr, Field
from sqlalchemy import ForeignKey, String, Text, create_engine, event, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

SECRET_KEY = os.environ["SECRET_KEY"]
ALGORITHM = "HS256"
ACCESS_TOKEN_TTL = timedelta(minutes=30)
REFRESH_TOKEN_TTL = timedelta(days=7)

# One connection for each thread that Starlette runs handlers in, so that none waits for another's hash.
engine = create_engine(os.environ["DATABASE_URL"], connect_args={"check_same_thread": False}, pool_size=40)
SessionLocal = sessionmaker(engine, autoflush=False)


@event.listens_for(engine, "connect")
def set_pragmas(connection, _):
    """Sets the journal mode and the durability that the API uses."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def utc_now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True, index=True)
    email: Mapped[str] = mapped_column(String(255), unique=True, index=True)
    hashed_password: Mapped[str] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(default=True, index=True)
    is_admin: Mapped[bool] = mapped_column(default=False, index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class UserSession(Base):
    __tablename__ = "sessions"
    id: Mapped[int] = mapped_column(primary_key=True, index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    access_token_jti: Mapped[str] = mapped_column(String(36), unique=True, index=True)
    refresh_token_jti: Mapped[str] = mapped_column(String(36), unique=True, index=True)
    is_valid: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]


class AuditLog(Base):
    __tablename__ = "audit_logs"
    id: Mapped[int] = mapped_column(primary_key=True, index=True)
    user_id: Mapped[int | None] = mapped_column(index=True)
    action: Mapped[str] = mapped_column(String(100), index=True)
    resource: Mapped[str] = mapped_column(String(100))
    resource_id: Mapped[str | None] = mapped_column(String(255))
    details: Mapped[str | None] = mapped_column(Text)
    ip_address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Credentials(BaseModel):
    email: EmailStr
    password: str = Field(min_length=8)


class RefreshRequest(BaseModel):
    refresh_token: str


class UserReply(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    email: str
    is_active: bool
    is_admin: bool
    created_at: datetime


class UserPage(BaseModel):
    items: list[UserReply]
    total: int
    limit: int
    offset: int


class TokenReply(BaseModel):
    access_token: str
    refresh_token: str
    token_type: str = "bearer"


Base.metadata.create_all(engine)
app = FastAPI(title="FastAPI peer", version="1.0.0")
bearer = HTTPBearer()


def get_db():
    with SessionLocal() as db:
        yield db


def audit(db: Session, request: Request, user: User, action: str, resource: str, details: str) -> None:
    address = request.client.host if request.client else None
    agent = request.headers.get("user-agent")
    db.add(AuditLog(user_id=user.id, action=action, resource=resource, resource_id=str(user.id), details=details,
                    ip_address=address, user_agent=agent))


def sign(claims: dict, ttl: timedelta) -> tuple[str, str]:
    jti = str(uuid.uuid4())
    expiry = datetime.now(timezone.utc) + ttl
    return jwt.encode({**claims, "exp": expiry, "jti": jti}, SECRET_KEY, algorithm=ALGORITHM), jti


def verify(token: str, token_type: str) -> dict:
    try:
        claims = jwt.decode(token, SECRET_KEY, algorithms=[ALGORITHM])
    except JWTError:
        raise HTTPException(401, f"Invalid or expired {token_type} token") from None
    if claims.get("type") != token_type:
        raise HTTPException(401, "Invalid token type")
    return claims


def open_session(db: Session, user: User) -> TokenReply:
    access, access_jti = sign({"sub": str(user.id), "email": user.email, "type": "access"}, ACCESS_TOKEN_TTL)
    refresh, refresh_jti = sign({"sub": str(user.id), "type": "refresh"}, REFRESH_TOKEN_TTL)
    db.add(UserSession(user_id=user.id, access_token_jti=access_jti, refresh_token_jti=refresh_jti,
                       expires_at=utc_now() + REFRESH_TOKEN_TTL))
    return TokenReply(access_token=access, refresh_token=refresh)


def current_user(token: HTTPAuthorizationCredentials = Depends(bearer), db: Session = Depends(get_db)) -> User:
    claims = verify(token.credentials, "access")
    query = select(User).join(UserSession, UserSession.user_id == User.id).where(
        User.id == int(claims["sub"]), UserSession.access_token_jti == claims["jti"],
        UserSession.is_valid, UserSession.expires_at >= utc_now())
    user = db.scalar(query)
    if user is None:
        raise HTTPException(401, "Invalid or expired access token")
    if not user.is_active:
        raise HTTPException(403, "Account is inactive")
    return user


def current_admin(user: User = Depends(current_user)) -> User:
    if not user.is_admin:
        raise HTTPException(403, "Admin privileges required")
    return user


@app.get("/healthz")
async def healthz() -> dict:
    return {"status": "healthy", "timestamp": datetime.now(timezone.utc).isoformat(), "version": "1.0.0"}


@app.post("/auth/register", status_code=201)
def register(body: Credentials, request: Request, db: Session = Depends(get_db)) -> UserReply:
    if db.scalar(select(User.id).where(User.email == body.email)) is not None:
        raise HTTPException(400, "Email already registered")
    hashed = bcrypt.hashpw(body.password.encode(), bcrypt.gensalt(12)).decode()
    user = User(email=body.email, hashed_password=hashed)
    db.add(user)
    try:
        db.flush()
    except IntegrityError:
        raise HTTPException(400, "Email already registered") from None
    audit(db, request, user, "register", "user", f"User registered: {user.email}")
    db.commit()
    return UserReply.model_validate(user)


@app.post("/auth/login")
def login(body: Credentials, request: Request, db: Session = Depends(get_db)) -> TokenReply:
    user = db.scalar(select(User).where(User.email == body.email))
    if user is None or not bcrypt.checkpw(body.password.encode(), user.hashed_password.encode()):
        raise HTTPException(401, "Incorrect email or password")
    if not user.is_active:
        raise HTTPException(403, "Account is inactive")
    tokens = open_session(db, user)
    audit(db, request, user, "login", "session", f"User logged in: {user.email}")
    db.commit()
    return tokens


@app.post("/auth/refresh")
def refresh(body: RefreshRequest, request: Request, db: Session = Depends(get_db)) -> TokenReply:
    claims = verify(body.refresh_token, "refresh")
    spend = update(UserSession).where(
        UserSession.refresh_token_jti == claims["jti"], UserSession.user_id == int(claims["sub"]),
        UserSession.is_valid, UserSession.expires_at >= utc_now()).values(is_valid=False)
    if db.execute(spend).rowcount != 1:
        raise HTTPException(401, "Invalid or expired refresh token")
    user = db.get(User, int(claims["sub"]))
    if user is None or not user.is_active:
        raise HTTPException(401, "User not found or inactive")
    tokens = open_session(db, user)
    audit(db, request, user, "refresh", "session", f"Token refreshed for user: {user.email}")
    db.commit()
    return tokens


@app.get("/users/me")
def me(user: User = Depends(current_user)) -> UserReply:
    return UserReply.model_validate(user)


@app.get("/admin/users")
def list_users(limit: int = Query(50, ge=1, le=100), offset: int = Query(0, ge=0), q: str | None = None,
               _: User = Depends(current_admin), db: Session = Depends(get_db)) -> UserPage:
    query = select(User)
    if q:
        query = query.where(User.email.icontains(q, autoescape=True))
    total = db.scalar(select(func.count()).select_from(query.subquery())) or 0
    items = db.scalars(query.order_by(User.id).limit(limit).offset(offset)).all()
    return UserPage(items=[UserReply.model_validate(user) for user in items], total=total, limit=limit, offset=offset)
