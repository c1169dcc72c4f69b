"""Who is who: pure logic on detections, tracks and tracklets. No files, network or clock."""
