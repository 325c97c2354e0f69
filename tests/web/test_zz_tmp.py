import time, asyncio, pytest, msgspec, structlog
from tests.web.conftest import *
pytestmark = pytest.mark.asyncio(loop_scope="module")
async def raw(api, data, close=False, n=65536):
    r, w = await asyncio.open_connection("127.0.0.1", api.base_url.port)
    w.write(data)
    if close:
        w.write_eof(); 
    await w.drain()
    try:
        out = await asyncio.wait_for(r.read(n), 3)
    except Exception as e: out = repr(e)
    w.close()
    return out
async def test_a(city):
  with structlog.testing.capture_logs() as logs:
    for data in [
      b"POST /v1/payments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello",
      b"POST /v1/payments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n\r\n",
      b"POST /v1/payments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      b"POST /v1/payments HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
      b"POST /v1/payments HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nhello",
      b"POST /v1/payments HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
      b"POST /v1/payments HTTP/1.1\r\nHost: x\r\nExpect: 200-maybe\r\nContent-Length: 5\r\n\r\nhello",
      b"POST /nope HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\nhello",
      ]:
        print("\n>>>", data[:190]); print((await raw(city, data, n=4000))[:1500]); print([{k:(v if k!='exc_info' else v) for k,v in l.items()} for l in logs]); logs.clear()
