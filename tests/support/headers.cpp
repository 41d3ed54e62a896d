// The one object of the target that owns the precompiled headers.
