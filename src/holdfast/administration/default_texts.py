"""What clients are written where a business has written nothing itself: short, warm and plain, in each language.

A line whose placeholders all have nothing to say is left out, so that nobody reads "Price:" of what costs nothing.
"""

from collections.abc import Mapping
from typing import Final

_CONFIRMED_EN: Final = (
    "Confirmed: {{ service_name }}, {{ start }}",
    """Hello {{ guest_name }},

your appointment is confirmed.

{{ service_name }}
{{ start }} – {{ end }}
Time zone: {{ timezone }}
With: {{ practitioner_name }}
Places: {{ places }}
Price: {{ price }}

Should the time no longer suit you, move or cancel the appointment here:
{{ manage_link }}

The attached invitation puts it into your calendar.

We look forward to seeing you.
{{ business_name }}
""",
)
_CONFIRMED_RU: Final = (
    "Подтверждено: {{ service_name }}, {{ start }}",
    """Здравствуйте, {{ guest_name }}!

Ваша запись подтверждена.

{{ service_name }}
{{ start }} – {{ end }}
Часовой пояс: {{ timezone }}
Специалист: {{ practitioner_name }}
Мест: {{ places }}
Стоимость: {{ price }}

Если время перестанет вам подходить, перенесите или отмените запись здесь:
{{ manage_link }}

Приглашение во вложении добавит запись в ваш календарь.

Будем рады вас видеть.
{{ business_name }}
""",
)
_CHANGED_EN: Final = (
    "New time: {{ service_name }}, {{ start }}",
    """Hello {{ guest_name }},

your appointment has been moved. This is the new time:

{{ service_name }}
{{ start }} – {{ end }}
Time zone: {{ timezone }}
With: {{ practitioner_name }}
Places: {{ places }}

It was to be {{ former_start }}.

Should the new time not suit you, choose another one here:
{{ manage_link }}

The attached invitation brings your calendar up to date.

See you then.
{{ business_name }}
""",
)
_CHANGED_RU: Final = (
    "Новое время: {{ service_name }}, {{ start }}",
    """Здравствуйте, {{ guest_name }}!

Ваша запись перенесена. Новое время:

{{ service_name }}
{{ start }} – {{ end }}
Часовой пояс: {{ timezone }}
Специалист: {{ practitioner_name }}
Мест: {{ places }}

Прежнее время: {{ former_start }}.

Если новое время вам не подходит, выберите другое здесь:
{{ manage_link }}

Приглашение во вложении обновит запись в вашем календаре.

До встречи!
{{ business_name }}
""",
)
_CANCELLED_EN: Final = (
    "Cancelled: {{ service_name }}, {{ start }}",
    """Hello {{ guest_name }},

your appointment has been cancelled and does not take place.

{{ service_name }}
{{ start }}
Time zone: {{ timezone }}

{{ refund }}

Would you like another time? You can book it here:
{{ booking_link }}

{{ business_name }}
""",
)
_CANCELLED_RU: Final = (
    "Отменено: {{ service_name }}, {{ start }}",
    """Здравствуйте, {{ guest_name }}!

Ваша запись отменена, встреча не состоится.

{{ service_name }}
{{ start }}
Часовой пояс: {{ timezone }}

{{ refund }}

Хотите выбрать другое время? Записаться можно здесь:
{{ booking_link }}

{{ business_name }}
""",
)
_REMINDER_EN: Final = (
    "Reminder: {{ service_name }}, {{ start }}",
    """Hello {{ guest_name }},

this is to remind you of your appointment.

{{ service_name }}
{{ start }} – {{ end }}
Time zone: {{ timezone }}
With: {{ practitioner_name }}
Places: {{ places }}

Something has come up? Please move or cancel the appointment here, so that somebody else can have the time:
{{ manage_link }}

See you soon.
{{ business_name }}
""",
)
_REMINDER_RU: Final = (
    "Напоминание: {{ service_name }}, {{ start }}",
    """Здравствуйте, {{ guest_name }}!

Напоминаем о вашей записи.

{{ service_name }}
{{ start }} – {{ end }}
Часовой пояс: {{ timezone }}
Специалист: {{ practitioner_name }}
Мест: {{ places }}

Планы изменились? Перенесите или отмените запись здесь, чтобы время досталось кому-то ещё:
{{ manage_link }}

До скорой встречи!
{{ business_name }}
""",
)
_OFFER_EN: Final = (
    "A place has become free: {{ service_name }}, {{ start }}",
    """Hello {{ guest_name }},

what you have been waiting for is free, and held for you until {{ offer_ends }}.

{{ service_name }}
{{ start }}
Time zone: {{ timezone }}
Places: {{ places }}

Take it, or leave it to the next in line, here:
{{ offer_link }}

Should you not answer by then, it goes to whoever is next. You need do nothing for that.

{{ business_name }}
""",
)
_OFFER_RU: Final = (
    "Освободилось место: {{ service_name }}, {{ start }}",
    """Здравствуйте, {{ guest_name }}!

Освободилось место, которого вы ждали. Мы держим его для вас до {{ offer_ends }}.

{{ service_name }}
{{ start }}
Часовой пояс: {{ timezone }}
Мест: {{ places }}

Займите его или уступите следующему в очереди здесь:
{{ offer_link }}

Если вы не ответите до этого времени, место перейдёт следующему. Ничего делать для этого не нужно.

{{ business_name }}
""",
)
_SERIES_CONFIRMED_EN: Final = (
    "Confirmed: {{ service_name }}, your appointments",
    """Hello {{ guest_name }},

all these appointments are confirmed.

{{ service_name }}
With: {{ practitioner_name }}
Time zone: {{ timezone }}

{{ appointments }}

Below each time is the address where you can move or cancel it. The attached file puts all of them into your calendar.

We look forward to seeing you.
{{ business_name }}
""",
)
_SERIES_CONFIRMED_RU: Final = (
    "Подтверждено: {{ service_name }}, ваши записи",
    """Здравствуйте, {{ guest_name }}!

Все эти записи подтверждены.

{{ service_name }}
Специалист: {{ practitioner_name }}
Часовой пояс: {{ timezone }}

{{ appointments }}

Под каждой записью указан адрес, по которому её можно перенести или отменить. Файл во вложении добавит их все в ваш \
календарь.

Будем рады вас видеть.
{{ business_name }}
""",
)
_SERIES_CANCELLED_EN: Final = (
    "Cancelled: {{ service_name }}, several appointments",
    """Hello {{ guest_name }},

these appointments have been cancelled and do not take place.

{{ service_name }}
Time zone: {{ timezone }}

{{ appointments }}

Would you like other times? You can book them here:
{{ booking_link }}

{{ business_name }}
""",
)
_SERIES_CANCELLED_RU: Final = (
    "Отменено: {{ service_name }}, несколько записей",
    """Здравствуйте, {{ guest_name }}!

Эти записи отменены, встречи не состоятся.

{{ service_name }}
Часовой пояс: {{ timezone }}

{{ appointments }}

Хотите выбрать другое время? Записаться можно здесь:
{{ booking_link }}

{{ business_name }}
""",
)
_INVITATION_EN: Final = (
    "Your access to {{ business_name }}",
    """Hello {{ user_name }},

you have been invited to work with the bookings of {{ business_name }}. Choose your password here:
{{ invitation_link }}

The link works once, until {{ invitation_ends }}. Please pass it on to nobody.
""",
)
_INVITATION_RU: Final = (
    "Ваш доступ к «{{ business_name }}»",
    """Здравствуйте, {{ user_name }}!

Вас пригласили работать с записями «{{ business_name }}». Задайте пароль здесь:
{{ invitation_link }}

Ссылка сработает один раз, до {{ invitation_ends }}. Пожалуйста, никому её не передавайте.
""",
)

# Subject and text of each kind of message, by language; what they may hold is said in `templates.MESSAGES`.
TEXTS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "appointment_confirmed": {"en": _CONFIRMED_EN, "ru": _CONFIRMED_RU},
    "appointment_changed": {"en": _CHANGED_EN, "ru": _CHANGED_RU},
    "appointment_cancelled": {"en": _CANCELLED_EN, "ru": _CANCELLED_RU},
    "appointment_reminder": {"en": _REMINDER_EN, "ru": _REMINDER_RU},
    "series_confirmed": {"en": _SERIES_CONFIRMED_EN, "ru": _SERIES_CONFIRMED_RU},
    "series_cancelled": {"en": _SERIES_CANCELLED_EN, "ru": _SERIES_CANCELLED_RU},
    "waitlist_offer": {"en": _OFFER_EN, "ru": _OFFER_RU},
    "user_invitation": {"en": _INVITATION_EN, "ru": _INVITATION_RU},
}
