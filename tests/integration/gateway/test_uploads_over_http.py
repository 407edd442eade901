"""Files through the whole way in: gateway, ingest, scanner, object store, clamd."""

from tests.integration.gateway.conftest import Service
from tests.media import jpeg


def test_a_photo_is_stored_and_described(service: Service) -> None:
    photo = jpeg()
    answer = service.one.http.post(
        "/v1/media", files={"file": ("photo.jpg", photo, "image/jpeg")}, data={"altText": "Noise."}
    )
    assert answer.status_code == 201, answer.text
    media = answer.json()
    assert media["kind"] == "image"
