//! The documentation: the document for programs, two pages for people, and what the pages are made of.

use lanterne_core::error::Error;

use crate::call::Call;
use crate::error;
use crate::pages::{self, assets};
use crate::reply::Reply;

/// `GET /openapi.json`
pub(crate) async fn openapi(call: &Call<'_>) -> Result<Reply, Error> {
    Ok(pages::document().reply(call.headers))
}

/// `GET /docs`
pub(crate) async fn swagger_ui(call: &Call<'_>) -> Result<Reply, Error> {
    Ok(pages::swagger_ui().reply(call.headers))
}

/// `GET /redoc`
pub(crate) async fn reference(call: &Call<'_>) -> Result<Reply, Error> {
    Ok(pages::reference().reply(call.headers))
}

/// `GET /docs/assets/{version}/{name}`
pub(crate) async fn asset(call: &Call<'_>) -> Result<Reply, Error> {
    let asset = assets::find(call.param("version"), call.param("name"));
    Ok(asset.map_or_else(error::not_found, |asset| asset.reply(call.headers)))
}
