"""Examples of login by QR code, and OpenID Connect."""

from typing import Final

import msgspec

from engine.core.ids import IdKind, id_text, make_id
from engine.web.login.wire import (
    AuthorizationRequest,
    LoginClientRequest,
    LoginConfirmationRequest,
    LoginScanRequest,
    LoginSecretRequest,
    TokenRequest,
    TokenRevocationRequest,
    UserinfoRequest,
)

_CARD_ID: Final = id_text(make_id(IdKind.CARD, at_ms=1_795_521_600_000, shard=7, region=110101, entropy=2**40))
_BACK: Final = "https://portal.example/back"

LOGIN_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    LoginClientRequest(
        region="110100",
        name_zh="北京市人社服务大厅",
        name_en="Beijing HRSS service hall",
        place="北京市西城区永定门西街5号",
        redirect_uris=(_BACK,),
        scopes=("openid",),
    ),
    LoginSecretRequest(overlap_s=3_600),
    LoginScanRequest(card_id=_CARD_ID),
    LoginConfirmationRequest(card_id=_CARD_ID, scopes=("openid", "profile")),
    AuthorizationRequest(
        response_type="code",
        client_id=id_text(make_id(IdKind.LOGIN_CLIENT, at_ms=1_795_521_600_000, shard=0, region=110100, entropy=2**40)),
        redirect_uri=_BACK,
        scope="openid profile",
        code_challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        code_challenge_method="S256",
        state="af0ifjsldkj",
        nonce="n-0S6_WzA2Mj",
    ),
    TokenRequest(
        grant_type="authorization_code",
        code="1WbHMBR8sTXPvXRn7DRd5w.b5lRkq0nX8sNn5rWm0TQk3r9p0v6mE1cXQZ6x3b1y2A",
        redirect_uri=_BACK,
        code_verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    ),
    UserinfoRequest(access_token="1WbHMBR8sTXPvXRn7DRd5w.b5lRkq0nX8sNn5rWm0TQk3r9p0v6mE1cXQZ6x3b1y2A"),  # noqa: S106  # nobody's
    TokenRevocationRequest(token="1WbHMBR8sTXPvXRn7DRd5w.b5lRkq0nX8sNn5rWm0TQk3r9p0v6mE1cXQZ6x3b1y2A"),  # noqa: S106  # nobody's
)
