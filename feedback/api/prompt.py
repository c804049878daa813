import contextlib
import tempfile
from collections.abc import Mapping
from typing import IO, Any, BinaryIO

from django.conf import settings
from django.http import QueryDict
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.api.base import REFUSALS, ApiView, caller, project_for, shown
from feedback.api.errors import ErrorSerializer
from feedback.domain.errors import UploadRefused, UploadTooLarge
from feedback.domain.scopes import Scope
from feedback.domain.states import Split
from feedback.formats.reading import MAX_BYTES
from feedback.services.prompt import prompts_import

FORM_BYTES = 64 * 1024
"""What a form may hold around its file."""
CHUNK_BYTES = 64 * 1024


class JsonAsFile(BaseParser):
    """Takes the body as a file, so that it is judged like one: bounded, and refused by line."""

    media_type = "application/json"

    def parse(  # type: ignore[override]  # the data are a file
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002 - the parser's signature
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> IO[bytes]:
        # Through a temporary file: servers differ in how their streams read lines.
        with contextlib.ExitStack() as opened:
            file = opened.enter_context(tempfile.SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE))
            while chunk := stream.read(CHUNK_BYTES):
                if file.tell() + len(chunk) > MAX_BYTES:
                    raise UploadTooLarge(
                        _("The file is larger than %(max)d MB; split it.") % {"max": MAX_BYTES // 2**20}
                    )
                file.write(chunk)
            file.seek(0)
            opened.pop_all()  # from here on whoever reads it closes it
            return file


class PromptsApi(ApiView):
    required_scope = Scope.PROMPTS
    max_body_bytes = MAX_BYTES + FORM_BYTES
    parser_classes = (JsonAsFile, MultiPartParser)

    @extend_schema_serializer(component_name="PromptInput", many=True)
    class InputSerializer(serializers.Serializer):
        """Only describes the rows; the same reader as for files reads them."""

        prompt = serializers.CharField(required=False, help_text="Or `messages`, which end with the user's turn.")
        messages = serializers.ListField(child=serializers.DictField(), required=False)
        id = serializers.CharField(required=False)
        group = serializers.CharField(required=False, help_text="Prompts of a group share a split.")
        split = serializers.ChoiceField(choices=Split.choices, required=False)
        tags = serializers.ListField(child=serializers.CharField(), required=False)

    @extend_schema_serializer(component_name="PromptFile")
    class FileSerializer(serializers.Serializer):
        file = serializers.FileField(help_text=".jsonl, .json, .csv or .txt")

    @extend_schema_serializer(component_name="PromptImport")
    class OutputSerializer(serializers.Serializer):
        n_added = serializers.IntegerField()
        n_known = serializers.IntegerField(help_text="Conversations that the project had already.")

    @extend_schema(
        operation_id="prompts_add",
        summary="Add prompts: a JSON list of them, or a file",
        request={"application/json": InputSerializer(many=True), "multipart/form-data": FileSerializer},
        responses={201: OutputSerializer, 413: ErrorSerializer, **REFUSALS},
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = project_for(request, project_id, "feedback.manage_project")
        file, name = file_of(request)
        with file:
            imported = prompts_import(project=project, file=file, filename=name, by=caller(request))
        output = {"n_added": imported.n_added, "n_known": imported.n_known}
        return Response(shown(self.OutputSerializer, output), status=201)


def file_of(request: Request) -> tuple[BinaryIO, str]:
    """Return the file that was sent, or the body as one, with its name. Raises: UploadRefused."""
    body: Any = request.data
    if not isinstance(body, Mapping):
        return body, "prompts.json"
    if not isinstance(body, QueryDict):
        raise UploadRefused(_("The body is empty; send a JSON list and its Content-Length."))
    file = request.FILES.get("file")
    if file is None:
        raise UploadRefused(_("Send the file in the field named file."))
    return file, file.name
