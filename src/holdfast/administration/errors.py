"""What can go wrong about settings and templates."""

from holdfast.kernel.errors import UserError


class UnknownSetting(UserError):
    """There is no setting of this name."""

    code, status, message = "unknown_setting", 404, "There is no such setting"


class UnknownMessage(UserError):
    """No message of this kind is ever sent, or not by this channel or in this language."""

    code, status, message = "unknown_message", 404, "There is no such message"


class UnknownTemplate(UserError):
    """The business has written no such template, or no such version of it."""

    code, status, message = "unknown_template", 404, "There is no such template"


class TemplateChanged(UserError):
    """Somebody has written another version since; `details.currentVersion`, where it is known, is the one in use."""

    code, status = "template_changed", 409
    message = "The template was changed in the meantime"
    constraint = "message_templates_pkey"
