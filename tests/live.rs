//! Live browsers: a session that people watch and steer, against full Chromium.
