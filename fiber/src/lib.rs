//! Native stacks for host frames (a documented skeleton until stack switching needs it)
