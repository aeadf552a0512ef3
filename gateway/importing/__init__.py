"""`figway import`: what a legacy system says about itself becomes a contract, bindings, a policy and tests."""
