from api.auterity.dialect import AuterityView


class TemplatesView(AuterityView):
    pass


class TemplateView(AuterityView):
    pass


class InstantiateView(AuterityView):
    pass
