from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.api.base import ApiView, caller, shown
from feedback.api.errors import ErrorSerializer
from feedback.domain.states import Role
from feedback.selectors.project import project_list, roles_by_project


class ProjectListApi(ApiView):
    @extend_schema_serializer(component_name="Project")
    class OutputSerializer(serializers.Serializer):
        id = serializers.IntegerField()
        name = serializers.CharField()
        description = serializers.CharField()
        roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices))

    @extend_schema(
        operation_id="projects_list",
        summary="The projects that you are a member of, and as what",
        responses={200: OutputSerializer(many=True), 401: ErrorSerializer},
    )
    def get(self, request: Request) -> Response:
        user = caller(request)
        roles = roles_by_project(user=user)
        projects = [
            {
                "id": project.pk,
                "name": project.name,
                "description": project.description,
                "roles": sorted(roles.get(project.pk, ())),
            }
            for project in project_list(user=user)
        ]
        return Response([shown(self.OutputSerializer, project) for project in projects])
