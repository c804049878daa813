import pytest
from drf_spectacular.generators import SchemaGenerator


@pytest.mark.django_db
def test_the_reference_names_every_call_and_every_field_of_the_schema(client):
    page = client.get("/api/docs/").content.decode()
    schema = SchemaGenerator().get_schema(request=None, public=True)
    for path, operations in schema["paths"].items():
        assert f"<code>{path}</code>" in page
        assert all(f'<code class="method">{method.upper()}</code>' in page for method in operations)
    for name, shape in schema["components"]["schemas"].items():
        if shape.get("properties"):
            assert f'id="shape-{name}"' in page
            assert all(f"<code>{field}</code>" in page for field in shape["properties"])
    assert page.count('href="#shape-') == sum(
        page.count(f'href="#shape-{name}"') for name in schema["components"]["schemas"]
    )
    assert "<script>" not in page
