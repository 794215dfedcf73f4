"""Pages and API of periodic reports, and of decisions of joint meetings."""
