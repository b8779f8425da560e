"""The messages that come with the product. Each renders with any of its variables missing.

`inputs` is what the node gives as `template_data`.
"""

from __future__ import annotations

from engine.ports import MessageTemplate

_HELLO = "Hello {{ has(inputs.customer_name) ? inputs.customer_name : 'there' }},"
_FROM = "{{ has(inputs.company_name) ? inputs.company_name : 'Your team' }}"


def _message(name: str, subject: str, *paragraphs: str) -> MessageTemplate:
    parts = (_HELLO, *paragraphs, f"Kind regards,\n{_FROM}")
    html = "\n".join(f"<p>{part}</p>".replace("\n", "<br>\n") for part in parts)
    return MessageTemplate(name=name, subject=subject, text="\n\n".join(parts) + "\n", html=html + "\n")


BUILTIN = (
    _message(
        "follow_up_template",
        "Following up{{ has(inputs.topic) ? ' on ' + text(inputs.topic) : '' }}",
        "Thank you for your interest{{ has(inputs.topic) ? ' in ' + text(inputs.topic) : '' }}. "
        "We wanted to ask whether you have any questions that we can answer.",
        "Just reply to this message, and somebody will get back to you.",
    ),
    _message(
        "appointment_confirmation",
        "Your appointment{{ has(inputs.appointment_date) ? ' on ' + text(inputs.appointment_date) : '' }}",
        "This confirms your appointment{{ has(inputs.appointment_date) ? ' on ' + text(inputs.appointment_date) : '' }}"
        "{{ has(inputs.appointment_time) ? ' at ' + text(inputs.appointment_time) : '' }}"
        "{{ has(inputs.location) ? ', ' + text(inputs.location) : '' }}.",
        "If you need another time, just reply to this message.",
    ),
    _message(
        "service_reminder",
        "A service is due{{ has(inputs.vehicle) ? ' for your ' + text(inputs.vehicle) : '' }}",
        "Our records say that a service is due{{ has(inputs.vehicle) ? ' for your ' + text(inputs.vehicle) : '' }}"
        "{{ has(inputs.due_date) ? ' by ' + text(inputs.due_date) : ' soon' }}.",
        "Reply to this message to book a time that suits you.",
    ),
    _message(
        "review_request",
        "How did we do?",
        "Thank you for your visit{{ has(inputs.visit_date) ? ' on ' + text(inputs.visit_date) : '' }}. "
        "We would be glad to hear how it went.",
        "{{ has(inputs.review_url) ? 'You can leave a review here: ' + text(inputs.review_url) : "
        "'Just reply to this message with a few words.' }}",
    ),
)
